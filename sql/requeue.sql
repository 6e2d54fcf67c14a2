-- requeue(p_ids, p_attempts, p_first_at, p_step, p_ends) -> how many were moved
--
-- Queue failed notifications again, as redrive() says. A batch that the database refuses is halved until the row
-- at fault is alone.
--
-- Moves    failed -> queued; `slo_deltas` takes them back from the day on which they failed
-- Args     p_ids uuid[], failed, locked by the caller, in order; p_attempts integer, how many more each gets;
--          p_first_at timestamptz, when the first falls due, and p_step interval, how much later each next
--          one does; p_ends timestamptz: after it no batch is halved
-- Returns  how many were moved; a warning names each refused row. Rows for which no time was left do not count
-- Fence    status failed: the caller checked it when it took the locks (for update skip locked)
-- Locks    those that redrive() holds already; a subtransaction for each part
-- Plan     primary key, within the partitions of the ids
-- Caller   redrive()
create or replace function notify.requeue(
  p_ids uuid[], p_attempts integer, p_first_at timestamptz, p_step interval, p_ends timestamptz)
returns integer
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_count integer := cardinality(p_ids);
  v_half integer := v_count / 2;
  v_lo uuid := p_ids[1];
  v_hi uuid := p_ids[v_count];
  v_moved integer;
  v_context text;
begin
  if v_count = 0 then
    return 0;
  end if;
  set constraints all immediate;
  begin
    insert into notify.slo_deltas (day, channel, priority, result, count)
    select (n.settled_at at time zone 'utc')::date as day, n.channel, n.priority,
      notify.slo_result(n.status, notify.age(n.settled_at, n.created_at, n.send_at)) as result, -count(*)
    from notify.notifications n
    where n.id = any (p_ids) and n.id between v_lo and v_hi
    group by day, n.channel, n.priority, result;
    with moved as (
      update notify.notifications n set
        status = 'queued',
        max_attempts = n.attempt + p_attempts,
        due_at = p_first_at + (g.place - 1) * p_step,
        settled_at = null,
        first_claimed_at = null
      from unnest(p_ids) with ordinality as g(id, place)
      where n.id = any (p_ids) and n.id between v_lo and v_hi and n.id = g.id
      returning n.status
    )
    select count(*) into v_moved from moved m where m.status = 'queued';
    if v_moved < v_count then
      raise exception 'a trigger left it out';
    end if;
    return v_moved;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
    if v_count = 1 then
      get stacked diagnostics v_context = pg_exception_context;
      raise warning 'notification % is not redriven: %', v_lo, notify.culprit(sqlerrm, v_context);
    end if;
  end;
  if v_half = 0 or clock_timestamp() >= p_ends then
    return 0;
  end if;
  return notify.requeue(p_ids[:v_half], p_attempts, p_first_at, p_step, p_ends)
    + notify.requeue(p_ids[v_half + 1:], p_attempts, p_first_at + v_half * p_step, p_step, p_ends);
end
$$;

comment on function notify.requeue(uuid[], integer, timestamptz, interval, timestamptz) is
  'requeue(p_ids, p_attempts, p_first_at, p_step, p_ends) -> how many were moved';
