-- note_watch_fault(p_watch, p_ticket, p_error) -> nothing
--
-- Keep a row of what a watch with on_error 'skip' could not tell.
--
-- Args     p_ticket text, of open_watch(); p_error text, cut to 1000 characters
-- Raises   42501: the ticket is not of this transaction
-- Note     Each hundredth call deletes up to a thousand old rows: of 30 days ago, or 100,000 faults ago. So the table has
--          its limit without a job, and two serializable transactions that skip seldom depend on each other
-- Plan     primary key of watch_faults
-- Caller   watched()
create or replace function notify.note_watch_fault(p_watch bigint, p_ticket text, p_error text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_id bigint;
begin
  if (p_ticket = notify.watch_ticket(p_watch)) is not true then
    raise insufficient_privilege using message = 'only a statement that changes the table speaks for its watch';
  end if;
  insert into notify.watch_faults (watch_id, error) values (p_watch, left(p_error, 1000)) returning id into v_id;
  if v_id % 100 = 0 then
    delete from notify.watch_faults
    where id = any (array(
      select o.id from (select f.id, f.at from notify.watch_faults f order by f.id limit 1000 for update skip locked) o
      where o.id <= v_id - 100000 or o.at < clock_timestamp() - interval '30 days'));
  end if;
end
$$;

comment on function notify.note_watch_fault(bigint, text, text) is
  'note_watch_fault(p_watch, p_ticket, p_error) -> nothing';
