-- gauges() -> one row
--
-- Say how the queue stands, at a cost that does not grow with it.
--
-- Returns  queued and sending: exact up to 100000, above it the index's own estimate (is_estimate);
--          oldest_due_age interval: since the longest waiting due notification fell due (null: none)
-- Plan     notifications_due, notifications_leased; 50 ms at ten million rows
-- Caller   Store.gauges
create or replace function notify.gauges()
returns table (queued bigint, sending bigint, is_estimate boolean, oldest_due_age interval)
language plpgsql set enable_seqscan = off as $$
declare
  v_max constant integer := 100000;
begin
  select count(*) into queued from (
    select from notify.notifications n where n.status = 'queued' limit v_max + 1) as counted;
  select count(*) into sending from (
    select from notify.notifications n where n.status = 'sending' limit v_max + 1) as counted;
  is_estimate := queued > v_max or sending > v_max;
  if is_estimate then
    select greatest(queued, sum(c.reltuples) filter (where p.inhparent = 'notify.notifications_due'::regclass)),
      greatest(sending, sum(c.reltuples) filter (where p.inhparent = 'notify.notifications_leased'::regclass))
      into queued, sending
    from pg_inherits p join pg_class c on c.oid = p.inhrelid
    where p.inhparent in ('notify.notifications_due'::regclass, 'notify.notifications_leased'::regclass);
  end if;
  select max(clock_timestamp() - oldest.due_at) into oldest_due_age
  from unnest('{0,1,2,3}'::smallint[]) as lane
  cross join lateral (
    select n.due_at from notify.notifications n
    where n.status = 'queued' and n.priority = lane and n.due_at <= clock_timestamp()
    order by n.due_at
    limit 1
  ) oldest;
  return next;
end
$$;

comment on function notify.gauges() is 'gauges() -> one row';
