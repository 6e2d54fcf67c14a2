-- is_long() -> boolean
--
-- Return whether the ledger has more days than one statement may open, which is 64.
--
-- Note     Up to 64 days, a statement is planned once and opens all days. Beyond, each call is planned for the
--          days that its ids or spans() name: that takes half a millisecond, however many days there are.
--          Functions that run for every batch ask instead whether quiet_days has rows, which it has only when
--          the ledger is long: that is 4 microseconds quicker. A wrong answer costs time, nothing else
-- Plan     65 entries of pg_inherits
-- Caller   spans(), tend_days(), ask_end(), cancel(), discard(), end_leases(), lanes(), held(), next_lease_in(), page(),
--          reap(), redrive(), cancel_matching(), find_person(), living_workers(), paused(), set_due_aside(),
--          bring_back(), bring_strays_back()
create or replace function notify.is_long() returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off
set enable_bitmapscan = off as $$
begin
  return exists (
    select from pg_inherits i where i.inhparent = 'notify.notifications'::regclass offset 64);
end
$$;

comment on function notify.is_long() is 'is_long() -> boolean';
