-- release(p_ids, p_attempts, p_delay) -> the rows given back
--
-- Give unstarted claims back, on shutdown or because their destination is full. Nobody loses an attempt.
--
-- Moves    sending -> queued; attempt stays, max_attempts + 1
-- Args     p_ids uuid[] and p_attempts integer[] of one length; p_delay interval until they are due again
-- Returns  (id, attempt). A missing pair was stale; or it was locked or left out by a trigger, and its lease
--          will pass
-- Raises   what the UPDATE of any row raises: then release_each() gives the others back
-- Fence    (id, attempt) and status 'sending'
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     primary key, within the partitions of the ids
-- Caller   workers' Store.release, release_each()
create or replace function notify.release(p_ids uuid[], p_attempts integer[], p_delay interval)
returns table (id uuid, attempt integer)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_nestloop = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_ids uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_ids[1];
  v_hi uuid := v_ids[cardinality(v_ids)];
  v_sending constant text := 'sending';     -- a variable: see settle()
begin
  if v_ids = '{}' then
    return;
  end if;
  if exists (select from notify.quiet_days) then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  v_ids := array(
    select n.id
    from unnest(p_ids, p_attempts) as g(id, attempt)
    join notify.notifications n on n.id = g.id and n.attempt = g.attempt
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = (select v_sending)
    order by n.id
    for update of n skip locked);
  if v_ids = '{}' then
    return;
  end if;
  return query
  with moved as (
    update notify.notifications n set
      status = 'queued',
      max_attempts = n.max_attempts + 1,
      due_at = clock_timestamp() + p_delay,
      lease_until = null,
      claimed_by = null
    where n.id = any (v_ids) and n.id between v_lo and v_hi
    returning n.id, n.attempt, n.status as is_now
  )
  select m.id, m.attempt from moved m where m.is_now = 'queued';
end
$$;

comment on function notify.release(uuid[], integer[], interval) is
  'release(p_ids, p_attempts, p_delay) -> the rows given back';
