-- end_leases(p_ids) -> the rows taken back, and those that were refused
--
-- End the attempts whose lease has passed, as reap() says. A batch that the database refuses is halved until
-- the row at fault is alone.
--
-- Moves    as reap() says; one whose attempt note_refused() wrote down as that ended: sent, expired, failed, or queued;
--          at the time it ended; then its wait is that of retry_in(), without the schedule and what the receiver asked for, which nobody kept.
--          A refused row stays sending; its lease is put off for a minute if the database allows it, with PostgreSQL's
--          message in last_error
-- Args     p_ids uuid[], locked by the caller; p_ends timestamptz: after it no batch is halved
-- Returns  (id, attempt, status): queued, failed, sent, expired or refused
-- Fence    the lease itself: settle() of the same attempt finds the row gone from 'sending'
-- Locks    those that reap() holds already; a subtransaction for each part
-- Plan     primary key within the partitions of the ids, by hash joins
-- Caller   reap()
create or replace function notify.end_leases(
  p_ids uuid[], p_ends timestamptz default clock_timestamp() + interval '1 second')
returns table (id uuid, attempt integer, status text)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_nestloop = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_ids[1];
  v_hi uuid := v_ids[cardinality(v_ids)];
  v_half integer := cardinality(v_ids) / 2;
  v_sending constant text := 'sending';     -- a variable: see settle()
  v_apart constant interval := '10 seconds';    -- the first backoff; it doubles up to the next line
  v_apart_max constant interval := '15 minutes';
  v_attempts integer[];
  v_statuses text[];
  v_error text;
  v_context text;
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  if v_ids = '{}' then
    return;
  end if;
  set constraints all immediate;
  begin
    with tried as materialized (
      select a.notification_id as id, (count(*) filter (where a.counted))::integer as attempts,
        (count(*) filter (where not a.counted))::integer as others
      from notify.attempts a
      where a.notification_id = any (v_ids) and a.notification_id between v_lo and v_hi
      group by a.notification_id
    ),
    noted as materialized (
      select a.notification_id as id, a.attempt, a.worker as claimed_by, a.outcome, a.code, a.excerpt, a.counted,
        a.started_at + coalesce(a.took_ms, 0) * interval '1 millisecond' as ended_at
      from notify.attempts a
      where a.notification_id = any (v_ids) and a.notification_id between v_lo and v_hi
    ),
    timed as materialized (
      select n.id, n.attempt, n.max_attempts, n.expires_at, n.lease_until, n.claimed_by, n.channel, n.priority,
        n.created_at, n.send_at, greatest(least(k.ended_at, v_now), least(n.created_at, v_now)) as ended_at,
        k.outcome, k.code, k.excerpt, coalesce(k.counted, true) as is_counted,
        case when k.outcome in ('temporary', 'throttled', 'unreachable', 'deferred', 'unknown')
          then v_now + notify.retry_in(k.outcome, k.counted, case when k.counted then t.attempts else t.others end - 1,
            null, null)
          when n.last_error_code = 'lease_expired'
          then v_now + notify.backoff(coalesce(t.attempts, 0), v_apart, v_apart_max, null)
          else v_now end as next_due_at
      from notify.notifications n left join tried t using (id) left join noted k using (id, attempt, claimed_by)
      where n.id = any (v_ids) and n.id between v_lo and v_hi
        and n.status = (select v_sending) and n.lease_until < v_now
    ),
    ended as materialized (
      select t.*, notify.age(t.ended_at, t.created_at, t.send_at) as age,
        case when t.outcome in ('sent', 'expired') then t.outcome
          when t.outcome = 'permanent' or t.is_counted and coalesce(t.attempt >= t.max_attempts, true) then 'failed'
          when t.outcome is not null and t.expires_at <= t.next_due_at then 'expired'
          else 'queued' end as status
      from timed t
    ),
    tried_to as (
      update notify.notifications n set
        status = e.status,
        max_attempts = case when e.is_counted then n.max_attempts else n.max_attempts + 1 end,
        due_at = case when e.status = 'queued' then e.next_due_at else n.due_at end,
        settled_at = case when e.status <> 'queued' then e.ended_at end,
        lease_until = null,
        claimed_by = null,
        last_error_code = case when e.outcome is null then 'lease_expired' when e.outcome <> 'sent' then e.code end,
        last_error = case when e.outcome <> 'sent' then e.excerpt when e.outcome is null then format(case when e.status = 'queued'
          then 'worker %s died, hung or was cut off while it had this'
          else 'worker %s died, hung or was cut off while it had this, and no attempts are left: '
            'if others ended so as well, this notification may be the cause' end, e.claimed_by) end
      from ended e
      where n.id = any (v_ids) and n.id between v_lo and v_hi and n.id = e.id
      returning e.*, n.status as is_now
    ),
    moved as (
      select t.* from tried_to t where t.is_now = t.status    -- a trigger may have put the old row back
    ),
    recorded as (
      -- If somebody has inserted an attempt of that number, the notification moves on all the same.
      insert into notify.attempts
        (notification_id, attempt, started_at, took_ms, outcome, code, excerpt, worker)
      select m.id, m.attempt, m.lease_until, null, 'lease_expired', null, null, m.claimed_by
      from moved m
      on conflict do nothing
    ),
    counted as (
      insert into notify.slo_deltas (day, channel, priority, result, count)
      select (v_now at time zone 'utc')::date, m.channel, m.priority,
        notify.slo_result(m.status, m.age) as result, count(*)
      from moved m
      where m.status <> 'queued'
      group by m.channel, m.priority, result
    )
    select array_agg(e.id), array_agg(e.attempt), array_agg(coalesce(m.status, 'refused'))
    into v_ids, v_attempts, v_statuses
    from ended e left join moved m using (id);
    return query select * from unnest(v_ids, v_attempts, v_statuses);
    return;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
    get stacked diagnostics v_context = pg_exception_context;
    v_error := notify.culprit(sqlerrm, v_context);
  end;

  if v_half = 0 then
    begin
      update notify.notifications n set
        lease_until = clock_timestamp() + interval '1 minute',
        last_error = left(v_error, 500)
      where n.id = v_lo and n.id = (select i.id from notify.notifications i where i.id = v_lo and i.status = (select v_sending)
        for update skip locked);
    exception when others or assert_failure then
      null;     -- its lease stays as it is: reap() takes it again
    end;
    return query
    select n.id, n.attempt, 'refused' from notify.notifications n where n.id = v_lo;
  elsif clock_timestamp() < p_ends then
    return query select * from notify.end_leases(v_ids[:v_half], p_ends);
    return query select * from notify.end_leases(v_ids[v_half + 1:], p_ends);
  end if;
end
$$;

comment on function notify.end_leases(uuid[], timestamptz) is
  'end_leases(p_ids) -> the rows taken back, and those that were refused';
