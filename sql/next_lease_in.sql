-- next_lease_in() -> the interval until the earliest lease ends
--
-- Say when the reaper has something to do.
--
-- Returns  null: nothing is being sent; zero or less: a lease has passed; a year at most, either way
-- Plan     notifications_leased, the first entry of each partition
-- Caller   Store.next_lease_in
create or replace function notify.next_lease_in() returns interval
language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  return (
    select least(v_now + interval '1 year', greatest(v_now - interval '1 year', n.lease_until)) - v_now
    from notify.notifications n
    where n.status = 'sending'
    order by n.lease_until
    limit 1);
end
$$;

comment on function notify.next_lease_in() is 'next_lease_in() -> the interval until the earliest lease ends';
