-- settle(p_ids, p_attempts, ...) -> one row per attempt that was ended, or whose row is locked
--
-- End a batch of attempts: each becomes a row of `attempts`, its notification moves on, and a notification that
-- ended is counted in `slo_deltas`.
--
-- Moves    sending -> sent; -> failed (permanent, or the attempts are used up); -> expired; -> queued.
--          throttled, unreachable and deferred speak about the receiver, or say "later": within the
--          notification's patience they are not counted, and raise max_attempts by one
-- Args     arrays of one length, an element per attempt: p_ids, p_attempts; p_outcomes text: sent, expired,
--          permanent, temporary, throttled, unreachable, deferred, unknown; p_codes, p_excerpts text, the
--          receiver's answer; p_started_ago_ms, p_took_ms integer; p_retry_after_ms integer or null. Then
--          p_worker text; p_schedules jsonb, the waits of retry_in() by channel, 'default' for any other;
--          p_patience interval from the first claim
-- Returns  (id, attempt, status, due_in, age, counted): the new status, the wait before the next attempt if
--          queued, the time since it could first be sent, whether the attempt is one of max_attempts.
--          Status 'locked': somebody holds the row; settle it again.
--          A missing pair was stale: another attempt has begun, and nothing was changed.
--          A pair that comes twice is settled once.
-- Raises   what the UPDATE of any row raises, and ND002 if a trigger left a row out of it: then settle_each()
--          settles the others
-- Fence    (id, attempt) and status 'sending'
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     primary key, within the partitions of the ids. The status is compared with a sub-select, so that the
--          planner cannot use a partial index. Hash joins only, because the planner estimates one row for a batch
-- Caller   workers' Store.settle, settle_each()
create or replace function notify.settle(
  p_ids uuid[], p_attempts integer[], p_outcomes text[], p_codes text[], p_excerpts text[],
  p_started_ago_ms integer[], p_took_ms integer[], p_retry_after_ms integer[],
  p_worker text, p_schedules jsonb, p_patience interval)
returns table (
  id uuid, attempt integer, status text, due_in interval, age interval, counted boolean)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_nestloop = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_ids[1];
  v_hi uuid := v_ids[cardinality(v_ids)];
  v_sending constant text := 'sending';     -- a variable: see Plan
  v_again uuid[] := array(
    select i.id from unnest(p_ids, p_outcomes) as i(id, outcome)
    where i.outcome in ('temporary', 'throttled', 'unreachable', 'deferred', 'unknown')
    order by i.id);
  v_again_lo uuid := v_again[1];
  v_again_hi uuid := v_again[cardinality(v_again)];
  v_settled integer;
begin
  if v_ids = '{}' then
    return;
  end if;
  if exists (select from notify.quiet_days) then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  return query
  with input as materialized (
    select distinct on (id, attempt) *
    from unnest(p_ids, p_attempts, p_outcomes, p_codes, p_excerpts,
      p_started_ago_ms, p_took_ms, p_retry_after_ms)
      as i(id, attempt, outcome, code, excerpt, started_ago_ms, took_ms, retry_after_ms)
  ),
  picked as materialized (
    select i.*, n.max_attempts, n.expires_at, n.channel, n.priority,
      notify.age(v_now, n.created_at, n.send_at) as age,
      i.outcome not in ('throttled', 'unreachable', 'deferred')
        or coalesce(n.first_claimed_at <= v_now - p_patience, p_patience <= '0') as is_counted
    from input i join notify.notifications n on n.id = i.id and n.attempt = i.attempt
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = (select v_sending)
    order by n.id
    for update of n skip locked
  ),
  tried as materialized (
    select a.notification_id as id, a.counted as is_counted, count(*)::integer as attempts
    from notify.attempts a
    where a.notification_id = any (v_again) and a.notification_id between v_again_lo and v_again_hi
    group by a.notification_id, a.counted
  ),
  timed as materialized (
    -- The waits grow with the attempts that ended, not with `attempt`: a release raises that as well.
    select p.*,
      case when p.outcome in ('temporary', 'throttled', 'unreachable', 'deferred', 'unknown')
        then v_now + notify.retry_in(p.outcome, p.is_counted, coalesce(t.attempts, 0),
          coalesce(p_schedules -> p.channel, p_schedules -> 'default'),
          p.retry_after_ms * interval '1 millisecond') end as next_due_at
    from picked p left join tried t using (id, is_counted)
  ),
  judged as materialized (
    select t.*, case
      when t.outcome in ('sent', 'expired') then t.outcome
      when t.outcome = 'permanent' or t.is_counted and t.attempt >= t.max_attempts then 'failed'
      when t.expires_at <= t.next_due_at then 'expired'
      else 'queued' end as status
    from timed t
  ),
  recorded as (
    insert into notify.attempts
      (notification_id, attempt, started_at, took_ms, outcome, code, excerpt, worker, counted)
    select j.id, j.attempt, v_now - j.started_ago_ms * interval '1 millisecond', j.took_ms,
      j.outcome, j.code, left(j.excerpt, 500), p_worker, j.is_counted
    from judged j
  ),
  ended as (
    insert into notify.slo_deltas (day, channel, priority, result, count)
    select (v_now at time zone 'utc')::date, j.channel, j.priority,
      notify.slo_result(j.status, j.age) as result, count(*)
    from judged j
    where j.status <> 'queued'
    group by j.channel, j.priority, result
  ),
  moved as (
    update notify.notifications n set
      status = j.status,
      max_attempts = case when j.is_counted then n.max_attempts else n.max_attempts + 1 end,
      due_at = case when j.status = 'queued' then j.next_due_at else n.due_at end,
      settled_at = case when j.status = 'queued' then null else v_now end,
      lease_until = null,
      claimed_by = null,
      last_error_code = case when j.outcome = 'sent' then null else j.code end,
      last_error = case when j.outcome = 'sent' then null else left(j.excerpt, 500) end
    from judged j
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.id = j.id
    returning j.id, j.attempt, j.status, case when j.status = 'queued' then j.next_due_at - v_now end as due_in,
      j.age, j.is_counted, n.status as is_now
  )
  -- A trigger may have put the old row in the place of the new one.
  select m.id, m.attempt, m.status, m.due_in, m.age, m.is_counted from moved m where m.is_now = m.status;

  get diagnostics v_settled = row_count;
  if v_settled < cardinality(p_ids) then
    v_ids := array(
      select n.id
      from unnest(p_ids, p_attempts) as g(id, attempt)
      join notify.notifications n on n.id = g.id and n.attempt = g.attempt
      where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = (select v_sending)
      order by n.id);
  end if;
  if v_settled < cardinality(p_ids) and v_ids <> '{}' then
    v_lo := v_ids[1];
    v_hi := v_ids[cardinality(v_ids)];
    if exists (
      select from unnest(p_ids, p_attempts) as g(id, attempt)
      join notify.attempts a on a.notification_id = g.id and a.attempt = g.attempt
      join notify.notifications n on n.id = g.id and n.attempt = g.attempt
      where a.notification_id = any (v_ids) and a.notification_id between v_lo and v_hi
        -- Checked again in the snapshot that sees the attempt: somebody may have settled it just now.
        and n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = (select v_sending))
    then
      raise exception using errcode = 'ND002',
        message = 'it is still sending, and this attempt is written down: a trigger left it out';
    end if;
    return query
    select n.id, n.attempt, 'locked', null::interval, notify.age(v_now, n.created_at, n.send_at),
      null::boolean
    from notify.notifications n
    where n.id = any (v_ids) and n.id between v_lo and v_hi;
  end if;
end
$$;

comment on function notify.settle(uuid[], integer[], text[], text[], text[], integer[], integer[],
  integer[], text, jsonb, interval) is
  'settle(p_ids, p_attempts, ...) -> one row per attempt that was ended, or whose row is locked';
