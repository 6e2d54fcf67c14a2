-- lanes() -> one row
--
-- Count what is queued in each lane and what is being sent, at a cost that does not grow with the queue.
--
-- Returns  queued bigint[], of lanes 0 to 3; quiet bigint, queued on quiet days, of any lane; sending: exact up to 100000
--          in each lane, above it estimated (is_estimate) by the size of the index and its density when vacuum or
--          analyze last looked: what other lanes have not is spread over the full ones;
--          oldest_due_age interval: since the longest waiting due notification fell due (null: none)
-- Plan     notifications_due, notifications_leased, in their order: a bitmap would read all entries despite the
--          limit. At ten million rows it takes 7 ms, before they are vacuumed 22 ms, and the very first call
--          125 ms: python -m load.bench --only gauges --backlog 10000000
-- Caller   gauges(), LeaderStore.lanes
create or replace function notify.lanes()
returns table (queued bigint[], quiet bigint, sending bigint, is_estimate boolean, oldest_due_age interval)
language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
  v_max constant integer := 100000;
  v_per_page constant integer := 150;       -- entries, before vacuum or analyze has counted them
  v_count bigint;
  v_full integer;
  v_entries bigint;
  v_age interval;
  v_lo uuid;
  v_hi uuid;
begin
  queued := '{0,0,0,0}';
  quiet := 0;
  sending := 0;
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
    select coalesce(sum(q.queued), 0) into quiet from notify.quiet_days q where q.until > v_now;
  end if;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    select array_agg(queued[lane + 1] + counted.rows order by lane),
      max(v_now - oldest.due_at)
      into queued, v_age
    from unnest('{0,1,2,3}'::smallint[]) as lane
    cross join lateral (
      select count(*) as rows from (
        select from notify.notifications n
        where n.status = 'queued' and n.priority = lane and (v_lo is null or n.id between v_lo and v_hi)
        limit greatest(v_max + 1 - queued[lane + 1], 0)) as looked
    ) counted
    left join lateral (
      -- Not more than ten years: a row that was changed by hand may have '-infinity'.
      select greatest(n.due_at, v_now - interval '10 years') as due_at from notify.notifications n
      where n.status = 'queued' and n.priority = lane and n.due_at <= v_now and (v_lo is null or n.id between v_lo and v_hi)
      order by n.due_at
      limit 1
    ) oldest on true;
    oldest_due_age := greatest(oldest_due_age, v_age);
    select count(*) into v_count from (
      select from notify.notifications n
      where n.status = 'sending' and (v_lo is null or n.id between v_lo and v_hi)
      limit greatest(v_max + 1 - sending, 0)) as counted;
    sending := sending + v_count;
  end loop;
  v_full := (select count(*) from unnest(queued) as n where n > v_max);
  is_estimate := v_full > 0 or sending > v_max;
  if is_estimate then
    with sized as (
      select p.inhparent as index, pg_relation_size(c.oid) / current_setting('block_size')::integer
        * case when c.reltuples > 0 then c.reltuples / c.relpages else v_per_page end as entries
      from pg_inherits p join pg_class c on c.oid = p.inhrelid
      where p.inhparent in ('notify.notifications_due'::regclass, 'notify.notifications_leased'::regclass)
    )
    select
      sum(s.entries) filter (where s.index = 'notify.notifications_due'::regclass),
      case when sending > v_max then greatest(sending,
        sum(s.entries) filter (where s.index = 'notify.notifications_leased'::regclass)) else sending end
      into v_entries, sending
    from sized s;
    v_entries := v_entries - quiet - (select sum(n) from unnest(queued) as n where n <= v_max);
    queued := array(
      select case when n > v_max then greatest(n, v_entries / v_full) else n end
      from unnest(queued) with ordinality as lanes(n, lane) order by lane);
  end if;
  return next;
end
$$;

comment on function notify.lanes() is 'lanes() -> one row';
