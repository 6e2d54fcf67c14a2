-- lose_home() -> trigger, before each row that is inserted into notify.ledger
--
-- Forget where the ledger is at home when another ledger's row comes: its queue comes with it, and is the other's to send.
--
-- Returns  null: the row stays out, and ours stays as it was
-- Note     Only a restore over a ledger that is there inserts one, such as pg_dump --data-only. Its row of
--          notify.settings takes the place of ours, as in a whole restore; if none comes, the ledger is at home
--          nowhere: see is_home(). adopt() is the way out of both. pg_dump --disable-triggers keeps this one, too,
--          from firing
-- Caller   trigger lose_home on ledger
create or replace function notify.lose_home() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if exists (select from notify.ledger l where l.id <> new.id) then
    delete from notify.settings;
    return null;
  end if;
  return new;
end
$$;

comment on function notify.lose_home() is
  'lose_home() -> trigger, before each row that is inserted into notify.ledger';
