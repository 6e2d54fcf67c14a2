-- call_off(p_ids, p_ends) -> how many were moved
--
-- Call off queued notifications, as cancel_matching() says. A batch that the database refuses is halved until the
-- row at fault is alone.
--
-- Moves    queued -> cancelled
-- Args     p_ids uuid[], queued, locked by the caller, in order; p_ends timestamptz: after it no batch is halved
-- Returns  how many were moved; a warning names each refused row. Rows for which no time was left do not count
-- Fence    status queued: the caller checked it when it took the locks (for update skip locked)
-- Locks    those that cancel_matching() holds already; a subtransaction for each part
-- Plan     primary key, within the partitions of the ids
-- Caller   cancel_matching()
create or replace function notify.call_off(p_ids uuid[], p_ends timestamptz) returns integer
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
    with moved as (
      update notify.notifications n set
        status = 'cancelled',
        settled_at = clock_timestamp()
      where n.id = any (p_ids) and n.id between v_lo and v_hi
      returning n.status
    )
    select count(*) into v_moved from moved m where m.status = 'cancelled';
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
      raise warning 'notification % is not cancelled: %', v_lo, notify.culprit(sqlerrm, v_context);
    end if;
  end;
  if v_half = 0 or clock_timestamp() >= p_ends then
    return 0;
  end if;
  return notify.call_off(p_ids[:v_half], p_ends) + notify.call_off(p_ids[v_half + 1:], p_ends);
end
$$;

comment on function notify.call_off(uuid[], timestamptz) is 'call_off(p_ids, p_ends) -> how many were moved';
