-- reap(p_limit, p_grace) -> the rows taken back
--
-- End attempts whose lease has passed: their worker died, or was too slow to be trusted. What failed with
-- its last attempt is counted in `slo_deltas`.
--
-- Moves    sending -> queued, due at once the first time; if the attempt before ended so too, after a
--          backoff with jitter: a notification that kills its workers then comes back alone, and does not
--          take the same innocents along each time. -> failed when the attempts are used up
-- Args     p_limit rows per call; p_grace interval after the server's start in which nothing is reaped,
--          because nobody could settle while it was away
-- Returns  (id, attempt, status). As many as p_limit: call again.
-- Fence    the lease itself: settle() of the same attempt finds the row gone from 'sending'
-- Locks    the rows, oldest lease first, skipping what is locked (its worker is settling it)
-- Plan     notifications_leased, then primary key within the partitions of the ids, by hash joins
-- Caller   Store.reap
create or replace function notify.reap(p_limit integer, p_grace interval)
returns table (id uuid, attempt integer, status text)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_nestloop = off as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
  v_lo uuid;
  v_hi uuid;
  v_apart constant interval := '10 seconds';    -- the first such backoff; it doubles up to
  v_apart_max constant interval := '15 minutes';
begin
  if v_now < pg_postmaster_start_time() + p_grace then
    return;
  end if;
  v_ids := array(
    select n.id from notify.notifications n
    where n.status = 'sending' and n.lease_until < v_now
    order by n.lease_until
    limit p_limit
    for update skip locked);
  v_ids := array(select i from unnest(v_ids) as i order by i);
  v_lo := v_ids[1];
  v_hi := v_ids[cardinality(v_ids)];

  return query
  with ended as materialized (
    select n.id, n.attempt, n.lease_until, n.claimed_by, n.channel, n.priority,
      v_now - greatest(n.created_at, n.send_at) as age,
      case when n.attempt < n.max_attempts then 'queued' else 'failed' end as status,
      case when n.last_error_code = 'lease_expired' then v_now + notify.backoff(
        (select count(*)::integer from notify.attempts a where a.notification_id = n.id),
        v_apart, v_apart_max, null) else v_now end as next_due_at
    from notify.notifications n where n.id = any (v_ids) and n.id between v_lo and v_hi
  ),
  moved as (
    update notify.notifications n set
      status = e.status,
      due_at = case when e.status = 'queued' then e.next_due_at else n.due_at end,
      settled_at = case when e.status = 'queued' then null else v_now end,
      lease_until = null,
      claimed_by = null,
      last_error_code = 'lease_expired',
      last_error = format(case when e.status = 'queued'
        then 'worker %s died, hung or was cut off while it had this'
        else 'worker %s died, hung or was cut off while it had this, and no attempts are left: '
          'if others ended so as well, this notification may be the cause' end, e.claimed_by)
    from ended e
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.id = e.id
  ),
  recorded as (
    insert into notify.attempts
      (notification_id, attempt, started_at, took_ms, outcome, code, excerpt, worker)
    select e.id, e.attempt, e.lease_until, null, 'lease_expired', null, null, e.claimed_by
    from ended e
  ),
  counted as (
    insert into notify.slo_deltas (day, channel, priority, result, count)
    select (v_now at time zone 'utc')::date, e.channel, e.priority,
      notify.slo_result(e.status, e.age) as result, count(*)
    from ended e
    where e.status <> 'queued'
    group by e.channel, e.priority, result
  )
  select e.id, e.attempt, e.status from ended e;
end
$$;

comment on function notify.reap(integer, interval) is 'reap(p_limit, p_grace) -> the rows taken back';
