-- cancel(p_ids) -> one row per notification that exists
--
-- Call off notifications that nobody is sending.
--
-- Moves    queued -> cancelled
-- Args     p_ids uuid[]
-- Returns  (id, status, settled_at, was_cancelled): its status now, and whether this call cancelled it.
--          Status 'sending': an attempt may be under way, and cannot be called back. Status 'locked': somebody
--          is claiming or cancelling it at this moment; ask again. Status 'refused': a trigger or a constraint
--          that is not ours keeps it queued; a warning says why. No row for an id: there is no such notification.
-- Raises   what the UPDATE raises, if there is only one id
-- Fence    status 'queued': what a worker has claimed stays with the worker
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     primary key, within the partitions of the ids. The status is compared with a sub-select, so that the
--          planner cannot use notifications_due, which is full of dead entries
-- Caller   VerbStore.cancel, erase()
create or replace function notify.cancel(p_ids uuid[])
returns table (id uuid, status text, settled_at timestamptz, was_cancelled boolean)
language plpgsql
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_asked uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_asked[1];
  v_hi uuid := v_asked[cardinality(v_asked)];
  v_queued constant text := 'queued';       -- a variable: see Plan
  v_ids uuid[];
  v_id uuid;
  v_context text;
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  set constraints all immediate;
  v_ids := array(
    select n.id from notify.notifications n
    where n.id = any (v_asked) and n.id between v_lo and v_hi and n.status = (select v_queued)
    order by n.id
    for update skip locked);
  begin
    if v_ids <> '{}' then
      update notify.notifications n set
        status = 'cancelled',
        settled_at = clock_timestamp()
      where n.id = any (v_ids) and n.id between v_lo and v_hi;
    end if;
  exception when others or assert_failure then
    if cardinality(v_asked) = 1 or not notify.blames_row(sqlstate) then
      raise;
    end if;
    foreach v_id in array v_ids loop
      begin
        update notify.notifications n set
          status = 'cancelled',
          settled_at = clock_timestamp()
        where n.id = v_id;
      exception when others or assert_failure then
        get stacked diagnostics v_context = pg_exception_context;
        raise warning 'notification % is not cancelled: %', v_id, notify.culprit(sqlerrm, v_context);
      end;
    end loop;
  end;
  return query
  select n.id,
    case when n.status <> v_queued then n.status::text when n.id = any (v_ids) then 'refused' else 'locked' end,
    notify.readable(n.settled_at), n.id = any (v_ids) and n.status <> v_queued
  from notify.notifications n
  where n.id = any (v_asked) and n.id between v_lo and v_hi
  order by n.id;
end
$$;

comment on function notify.cancel(uuid[]) is 'cancel(p_ids) -> one row per notification that exists';
