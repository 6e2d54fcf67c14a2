-- settle(p_ids, p_attempts, ...) -> one row per attempt that was ended, or could not be yet
--
-- End a batch of attempts: each becomes a row of `attempts`, its notification moves on, and what has ended
-- for good is counted in `slo_deltas`.
--
-- Moves    sending -> sent; -> failed (permanent, or the attempts are used up); -> expired; -> queued
-- Args     arrays of one length, an element per attempt: p_ids, p_attempts; p_outcomes text: sent, expired,
--          permanent, temporary, throttled, unknown; p_codes, p_excerpts text, what was answered;
--          p_started_ago_ms, p_took_ms integer; p_retry_after_ms integer or null. Then p_worker text,
--          p_backoff_base and p_backoff_cap interval
-- Returns  (id, attempt, status, due_in, age): the new status, the wait before the next attempt if queued,
--          the time since it could first be sent: the later of created_at and send_at. Status 'locked':
--          somebody holds the row; settle it again.
--          A pair that is missing was stale: another attempt has begun, and nothing was changed.
--          Of a pair that is given twice, one is taken.
-- Fence    (id, attempt) and status 'sending'
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     primary key, within the partitions of the ids: the status is compared with a variable, so that
--          no partial index can be taken for it; and hash joins, as a batch is guessed to be one row
-- Caller   Store.settle
create or replace function notify.settle(
  p_ids uuid[], p_attempts integer[], p_outcomes text[], p_codes text[], p_excerpts text[],
  p_started_ago_ms integer[], p_took_ms integer[], p_retry_after_ms integer[],
  p_worker text, p_backoff_base interval, p_backoff_cap interval)
returns table (id uuid, attempt integer, status text, due_in interval, age interval)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_nestloop = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_ids[1];
  v_hi uuid := v_ids[cardinality(v_ids)];
  v_sending constant text := 'sending';     -- a variable: see Plan
  v_settled integer;
begin
  return query
  with given as materialized (
    select distinct on (id, attempt) *
    from unnest(p_ids, p_attempts, p_outcomes, p_codes, p_excerpts,
      p_started_ago_ms, p_took_ms, p_retry_after_ms)
      as g(id, attempt, outcome, code, excerpt, started_ago_ms, took_ms, retry_after_ms)
  ),
  picked as materialized (
    select n.id, n.attempt, n.max_attempts, n.expires_at, n.channel, n.priority,
      v_now - greatest(n.created_at, n.send_at) as age
    from given g join notify.notifications n on n.id = g.id and n.attempt = g.attempt
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = v_sending
    order by n.id
    for update of n skip locked
  ),
  timed as materialized (
    -- The backoff grows with the attempts that ended, not with `attempt`, which releases raise too.
    select g.*, p.max_attempts, p.expires_at, p.channel, p.priority, p.age,
      case when g.outcome in ('temporary', 'throttled', 'unknown') then v_now + notify.backoff(
        1 + (select count(*)::integer from notify.attempts a where a.notification_id = g.id),
        p_backoff_base, p_backoff_cap, g.retry_after_ms * interval '1 millisecond') end as next_due_at
    from picked p join given g using (id, attempt)
  ),
  judged as materialized (
    select t.*, case
      when t.outcome in ('sent', 'expired') then t.outcome
      when t.outcome = 'permanent' or t.attempt >= t.max_attempts then 'failed'
      when t.expires_at <= t.next_due_at then 'expired'
      else 'queued' end as status
    from timed t
  ),
  moved as (
    update notify.notifications n set
      status = j.status,
      due_at = case when j.status = 'queued' then j.next_due_at else n.due_at end,
      settled_at = case when j.status = 'queued' then null else v_now end,
      lease_until = null,
      claimed_by = null,
      last_error_code = case when j.outcome = 'sent' then null else j.code end,
      last_error = case when j.outcome = 'sent' then null else left(j.excerpt, 500) end
    from judged j
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.id = j.id
  ),
  recorded as (
    insert into notify.attempts
      (notification_id, attempt, started_at, took_ms, outcome, code, excerpt, worker)
    select j.id, j.attempt, v_now - j.started_ago_ms * interval '1 millisecond', j.took_ms,
      j.outcome, j.code, left(j.excerpt, 500), p_worker
    from judged j
  ),
  counted as (
    insert into notify.slo_deltas (day, channel, priority, result, count)
    select (v_now at time zone 'utc')::date, j.channel, j.priority,
      notify.slo_result(j.status, j.age) as result, count(*)
    from judged j
    where j.status <> 'queued'
    group by j.channel, j.priority, result
  )
  select j.id, j.attempt, j.status, case when j.status = 'queued' then j.next_due_at - v_now end, j.age
  from judged j;

  get diagnostics v_settled = row_count;
  if v_settled < cardinality(p_ids) then
    return query
    select n.id, n.attempt, 'locked', null::interval, v_now - greatest(n.created_at, n.send_at)
    from unnest(p_ids, p_attempts) as g(id, attempt)
    join notify.notifications n on n.id = g.id and n.attempt = g.attempt
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = v_sending;
  end if;
end
$$;

comment on function notify.settle(uuid[], integer[], text[], text[], text[], integer[], integer[],
  integer[], text, interval, interval) is
  'settle(p_ids, p_attempts, ...) -> one row per attempt that was ended, or could not be yet';
