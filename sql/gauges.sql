-- gauges() -> one row
--
-- Count what is queued and what is being sent, at a cost that does not grow with the queue.
--
-- Returns  queued and sending: exact up to 100000 in each lane, above it estimated (is_estimate);
--          oldest_due_age interval: since the longest waiting due notification fell due (null: none)
-- Plan     that of lanes()
-- Caller   Store.gauges
create or replace function notify.gauges()
returns table (queued bigint, sending bigint, is_estimate boolean, oldest_due_age interval)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select (l.quiet + (select sum(n) from unnest(l.queued) as n))::bigint, l.sending, l.is_estimate, l.oldest_due_age
  from notify.lanes() l;
end
$$;

comment on function notify.gauges() is 'gauges() -> one row';
