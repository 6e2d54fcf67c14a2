-- gauges() -> one row
--
-- Count what is queued and what is being sent, at a cost that does not grow with the queue.
--
-- Returns  queued and sending: exact up to 100000, above it estimated (is_estimate) by the size of the index
--          and its density when vacuum or analyze last looked;
--          oldest_due_age interval: since the longest waiting due notification fell due (null: none)
-- Plan     notifications_due, notifications_leased, in their order: a bitmap would read all entries despite the
--          limit. At ten million rows it takes 7 ms, before they are vacuumed 22 ms, and the very first call
--          125 ms: python -m load.bench --only gauges --backlog 10000000
-- Caller   Store.gauges
create or replace function notify.gauges()
returns table (queued bigint, sending bigint, is_estimate boolean, oldest_due_age interval)
language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
  v_max constant integer := 100000;
  v_per_page constant integer := 150;       -- entries, before vacuum or analyze has counted them
  v_count bigint;
  v_age interval;
  v_lo uuid;
  v_hi uuid;
begin
  queued := 0;
  sending := 0;
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
    select coalesce(sum(q.queued), 0) into queued from notify.quiet_days q where q.until > v_now;
  end if;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    select count(*) into v_count from (
      select from notify.notifications n
      where n.status = 'queued' and (v_lo is null or n.id between v_lo and v_hi)
      limit greatest(v_max + 1 - queued, 0)) as counted;
    queued := queued + v_count;
    select count(*) into v_count from (
      select from notify.notifications n
      where n.status = 'sending' and (v_lo is null or n.id between v_lo and v_hi)
      limit greatest(v_max + 1 - sending, 0)) as counted;
    sending := sending + v_count;
    -- Not more than ten years: a row that was changed by hand may have '-infinity'.
    select max(v_now - greatest(oldest.due_at, v_now - interval '10 years')) into v_age
    from unnest('{0,1,2,3}'::smallint[]) as lane
    cross join lateral (
      select n.due_at from notify.notifications n
      where n.status = 'queued' and n.priority = lane and n.due_at <= v_now and (v_lo is null or n.id between v_lo and v_hi)
      order by n.due_at
      limit 1
    ) oldest;
    oldest_due_age := greatest(oldest_due_age, v_age);
  end loop;
  is_estimate := queued > v_max or sending > v_max;
  if is_estimate then
    with sized as (
      select p.inhparent as index, pg_relation_size(c.oid) / current_setting('block_size')::integer
        * case when c.reltuples > 0 then c.reltuples / c.relpages else v_per_page end as entries
      from pg_inherits p join pg_class c on c.oid = p.inhrelid
      where p.inhparent in ('notify.notifications_due'::regclass, 'notify.notifications_leased'::regclass)
    )
    select
      case when queued > v_max then greatest(queued,
        sum(s.entries) filter (where s.index = 'notify.notifications_due'::regclass)) else queued end,
      case when sending > v_max then greatest(sending,
        sum(s.entries) filter (where s.index = 'notify.notifications_leased'::regclass)) else sending end
      into queued, sending
    from sized s;
  end if;
  return next;
end
$$;

comment on function notify.gauges() is 'gauges() -> one row';
