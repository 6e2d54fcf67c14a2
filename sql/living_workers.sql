-- living_workers(p_limit, p_look_max) -> up to p_limit rows
--
-- List the workers that were heard of in the last 30 s, and how many leases each holds.
--
-- Args     p_look_max integer: the most leases to look at
-- Returns  (worker, host, version, slots, in_flight, per_s, beat_at, leases), by name; leases null: there are more than were
--          looked at
-- Plan     workers, which is small; notifications_leased, as far as p_look_max goes
-- Caller   FigureStore.workers
create or replace function notify.living_workers(p_limit integer, p_look_max integer)
returns table (worker text, host text, version text, slots integer, in_flight integer, per_s double precision,
  beat_at timestamptz, leases bigint)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_lo uuid;
  v_hi uuid;
  v_holders text[];
  v_seen text[] := '{}';
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    v_holders := array(
      select n.claimed_by::text from notify.notifications n
      where n.status = 'sending' and (v_lo is null or n.id between v_lo and v_hi)
      limit greatest(p_look_max + 1 - cardinality(v_seen), 0));
    v_seen := v_seen || v_holders;
  end loop;
  return query
  select w.worker::text, w.host::text, w.version::text, w.slots, w.in_flight, w.per_s, notify.readable(w.beat_at),
    case when cardinality(v_seen) <= p_look_max then coalesce(h.leases, 0) end
  from notify.workers w
  left join (select seen.worker, count(*) as leases from unnest(v_seen) as seen(worker) group by 1) h using (worker)
  where w.beat_at between clock_timestamp() - interval '30 seconds' and clock_timestamp() + interval '30 seconds'
  order by w.worker
  limit p_limit;
end
$$;

comment on function notify.living_workers(integer, integer) is 'living_workers(p_limit, p_look_max) -> up to p_limit rows';
