-- next_lease_in() -> the interval until the earliest lease ends
--
-- Say when the reaper has something to do.
--
-- Returns  null: nothing is being sent; zero or less: a lease has passed
-- Plan     notifications_leased, the first entry of each partition
-- Caller   Store.next_lease_in
create or replace function notify.next_lease_in() returns interval
language plpgsql set enable_seqscan = off set enable_bitmapscan = off as $$
begin
  return (
    select n.lease_until from notify.notifications n
    where n.status = 'sending'
    order by n.lease_until
    limit 1) - clock_timestamp();
end
$$;

comment on function notify.next_lease_in() is 'next_lease_in() -> the interval until the earliest lease ends';
