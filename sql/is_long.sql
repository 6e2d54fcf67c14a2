-- is_long() -> boolean
--
-- Say whether the ledger has more days than a statement may open at once: 64.
--
-- Note     Up to here a plan is made once and opens all of them. Beyond, each call is planned for the days that
--          its ids or spans() name: half a millisecond, however many days there are.
--          What is called for every batch looks into quiet_days instead: it is empty unless this is so, and
--          4 microseconds quicker. Either answer is right for any ledger, only not as quick
-- Plan     65 entries of pg_inherits
-- Caller   spans(), tend_days() and the functions that are called seldom
create or replace function notify.is_long() returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off
set enable_bitmapscan = off as $$
begin
  return exists (
    select from pg_inherits i where i.inhparent = 'notify.notifications'::regclass offset 64);
end
$$;

comment on function notify.is_long() is 'is_long() -> boolean';
