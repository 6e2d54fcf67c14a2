-- discard(p_environment, p_limit) -> one row
--
-- Cancel what was queued or being sent when it was noticed that the ledger is a copy: the original sends it.
--
-- Moves    queued, sending -> cancelled, last_error_code 'discarded'; attempts stay as they are. What was created
--          after the notice stays
-- Args     p_environment text, the caller's ENVIRONMENT (null or '': none): see notice_copy(); p_limit rows
-- Returns  matched integer, up to p_limit rows that were to be cancelled; discarded integer, those that were: the
--          others are locked, or a trigger that is not ours keeps them. Call it until none is matched
-- Raises   ND007 where the ledger is at home here, or somebody has found it at home since the server's last start:
--          then the caller's ENVIRONMENT is wrong, and what is queued is being sent
-- Fence    none: nobody has claimed anything here since the copy was made
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     notifications_due and notifications_leased
-- Caller   AdoptStore.discard
create or replace function notify.discard(p_environment text, p_limit integer)
returns table (matched integer, discarded integer)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on
set row_security = off as $$
#variable_conflict use_column
declare
  v_before constant timestamptz := notify.notice_copy(p_environment);
  v_queued constant text := 'queued';       -- variables: see claim()
  v_sending constant text := 'sending';
  v_ids uuid[] := '{}';
  v_lo uuid;
  v_hi uuid;
begin
  if v_before is null or (select h.is_in_use from notify.home(p_environment) h) then
    raise exception using errcode = 'ND007', message = 'nothing is discarded: this ledger is at home here',
      hint = 'If the caller has another ENVIRONMENT than those who send from here, it has the wrong one.';
  end if;
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  set constraints all immediate;
  for v_lo, v_hi in select s.lo, s.hi from notify.spans(true) s loop
    v_ids := v_ids || array(
      select d.id from unnest('{0,1,2,3}'::smallint[]) as lane
      cross join lateral (
        select n.id from notify.notifications n
        where n.status = 'queued' and n.priority = lane and n.created_at < v_before
          and (v_lo is null or n.id between v_lo and v_hi)
        order by n.due_at, n.id
        limit p_limit
      ) d
      limit p_limit - cardinality(v_ids));
    v_ids := v_ids || array(
      select n.id from notify.notifications n
      where n.status = 'sending' and n.created_at < v_before and (v_lo is null or n.id between v_lo and v_hi)
      order by n.lease_until
      limit p_limit - cardinality(v_ids));
  end loop;
  matched := cardinality(v_ids);
  v_ids := array(
    select n.id from notify.notifications n
    where n.id = any (v_ids) and n.status in ((select v_queued), (select v_sending))
    order by n.id
    for update skip locked);
  with moved as (
    update notify.notifications n set
      status = 'cancelled',
      settled_at = clock_timestamp(),
      lease_until = null,
      claimed_by = null,
      last_error_code = 'discarded',
      last_error = 'this ledger was copied: the original sends it'
    where n.id = any (v_ids)
    returning n.status
  )
  select count(*) into discarded from moved m where m.status = 'cancelled';
  return next;
end
$$;

comment on function notify.discard(text, integer) is 'discard(p_environment, p_limit) -> one row';
