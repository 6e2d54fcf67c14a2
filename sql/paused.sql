-- paused(p_id, p_count_max) -> one row per pause
--
-- List what is paused, and how many notifications wait for each.
--
-- Args     p_id bigint, only this one (null: all); p_count_max integer, it counts no further for each, and ten times as
--          far for all together
-- Returns  (id, kind, name, channel, reason, paused_by, paused_at, resumed_at, waiting), newest first, up to 1000;
--          those with resumed_at are resumed, and their last rows are coming back. waiting integer, exact below
--          p_count_max (null: enough was counted for newer ones); what came since the last second may not be counted yet
-- Plan     pauses; notifications_due, ten times p_count_max entries at most
-- Caller   PauseStore.list, bring_back()
create or replace function notify.paused(p_id bigint, p_count_max integer)
returns table (
  id bigint, kind text, name text, channel text, reason text, paused_by text, paused_at timestamptz,
  resumed_at timestamptz, waiting integer)
language plpgsql stable set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_waits_at timestamptz;
  v_lo uuid;
  v_hi uuid;
  v_lane smallint;
  v_left bigint := 10::bigint * p_count_max;
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  for id, kind, name, channel, reason, paused_by, paused_at, resumed_at, v_waits_at in
    select p.id, p.kind, p.name, p.channel, p.reason, p.paused_by, p.paused_at, p.resumed_at, p.waits_at
    from notify.pauses p where p_id is null or p.id = p_id
    order by p.id desc limit 1000
  loop
    waiting := case when v_left > 0 then 0 end;
    for v_lo, v_hi in select s.lo, s.hi from notify.spans(true) s where v_left > 0 loop
      for v_lane in 0..3 loop
        waiting := waiting + (select count(*) from (
          select from notify.notifications n
          where n.status = 'queued' and n.priority = v_lane and n.due_at = v_waits_at
            and (v_lo is null or n.id between v_lo and v_hi)
          limit greatest(p_count_max - waiting, 0)) as counted);
      end loop;
    end loop;
    v_left := v_left - coalesce(waiting, 0);
    return next;
  end loop;
end
$$;

comment on function notify.paused(bigint, integer) is 'paused(p_id, p_count_max) -> one row per pause';
