-- stuck(p_overdue, p_limit) -> up to p_limit rows of each kind
--
-- Name the notifications that an operator must look at: nothing moves them by itself.
--
-- Args     p_overdue interval: for how long one must be due, or its lease be over; p_limit integer
-- Returns  (kind, id, channel, priority, since, error): kind 'refused', PostgreSQL does not let a queued one move, and
--          error is its message; 'overdue', due since `since`, the first of each lane; 'lease', its lease passed at
--          `since`, and nobody took it back; 'unsettled', its attempt ended at `since`, and PostgreSQL does not let that be
--          written down: error is its message. Refused ones come back each minute, where those of a dead destination come
--          back after seconds: so they are sought from both ends of what falls due within a minute
-- Plan     notifications_due: 100 rows of the head of each lane, and 500 from each end of what falls due within a minute;
--          notifications_leased, 1,000 rows of its head, and their attempts by the primary key; for each range of spans() in turn
-- Caller   NowStore.look
create or replace function notify.stuck(p_overdue interval, p_limit integer)
returns table (kind text, id uuid, channel text, priority smallint, since timestamptz, error text)
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set jit = off set max_parallel_workers_per_gather = 0
set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  v_head constant integer := 100;
  v_next constant integer := 500;
  v_leases constant integer := 1000;
  v_lanes constant smallint[] := '{0,1,2,3}';
  v_refused integer := p_limit;             -- how many more of the kind: there may be many ranges
  v_overdue integer := p_limit;
  v_held integer := p_limit;
  v_count integer;
  v_lo uuid;
  v_hi uuid;
begin
  for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
    return query
    select 'refused', r.id, r.channel::text, r.priority, r.due_at, r.last_error
    from unnest(v_lanes) as lane
    cross join lateral (
      (select n.id, n.channel, n.priority, n.due_at, n.last_error, n.last_error_code from notify.notifications n
        where n.status = 'queued' and n.priority = lane and n.due_at <= v_now and (v_lo is null or n.id between v_lo and v_hi)
        order by n.due_at, n.id
        limit v_head)
      union all
      (select n.id, n.channel, n.priority, n.due_at, n.last_error, n.last_error_code from notify.notifications n
        where n.status = 'queued' and n.priority = lane and n.due_at > v_now and n.due_at <= v_now + interval '1 minute'
          and (v_lo is null or n.id between v_lo and v_hi)
        order by n.due_at, n.id
        limit v_next)
      union                                 -- without the same rows, where there are few
      (select n.id, n.channel, n.priority, n.due_at, n.last_error, n.last_error_code from notify.notifications n
        where n.status = 'queued' and n.priority = lane and n.due_at > v_now and n.due_at <= v_now + interval '1 minute'
          and (v_lo is null or n.id between v_lo and v_hi)
        order by n.due_at desc, n.id desc
        limit v_next)
    ) r
    where r.last_error_code = 'refused'
    limit v_refused;
    get diagnostics v_count = row_count;
    v_refused := v_refused - v_count;
    return query
    select 'overdue', d.id, d.channel::text, d.priority, d.due_at, null::text
    from unnest(v_lanes) as lane
    cross join lateral (
      select n.id, n.channel, n.priority, n.due_at from notify.notifications n
      where n.status = 'queued' and n.priority = lane and n.due_at < v_now - p_overdue
        and (v_lo is null or n.id between v_lo and v_hi)
      order by n.due_at, n.id
      limit 1
    ) d
    limit v_overdue;
    get diagnostics v_count = row_count;
    v_overdue := v_overdue - v_count;
    for kind, id, channel, priority, since, error in
      select case when a.attempt is not null then 'unsettled' else 'lease' end, l.id, l.channel::text, l.priority,
        coalesce(a.started_at, l.lease_until), case when a.attempt is not null then l.last_error end
      from (
        select n.id, n.channel, n.priority, n.attempt, n.claimed_by, n.lease_until, n.last_error from notify.notifications n
        where n.status = 'sending' and (v_lo is null or n.id between v_lo and v_hi)
        order by n.lease_until
        limit v_leases) l
      left join notify.attempts a on a.notification_id = l.id and a.attempt = l.attempt and a.worker = l.claimed_by
        and (v_lo is null or a.notification_id between v_lo and v_hi)
      where a.attempt is not null or l.lease_until < v_now - p_overdue
      order by l.lease_until
      limit v_held
    loop
      return next;
      v_held := v_held - 1;
    end loop;
  end loop;
end
$$;

comment on function notify.stuck(interval, integer) is 'stuck(p_overdue, p_limit) -> up to p_limit rows of each kind';
