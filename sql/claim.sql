-- claim(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment, p_takes, p_bulk_first) -> up to p_limit rows
--
-- Give due notifications to one worker, each under a numbered lease. Those that have expired are counted in
-- `slo_deltas` instead.
--
-- Moves    queued -> sending, attempt + 1; queued -> expired when expires_at has passed. The first claim sets
--          first_claimed_at, from which the notification's patience runs
-- Args     p_ids uuid[] from the ready set (null: any that are due, urgent first); p_worker text
--          "host:pid-token"; p_lease interval; p_max_attempts integer, for rows that have none;
--          p_patience interval, from the first claim on, in which the answer "not now" is not counted;
--          p_environment text, the worker's ENVIRONMENT (null: none): see is_home(); p_takes text[],
--          which kinds of rows the worker knows besides: tests, which are rows of is_test; p_bulk_first boolean,
--          without p_ids: begin at the least urgent lane and the oldest days
-- Returns  (id, status, attempt, channel, recipient, payload, expires_in, patience_in, is_test, traceparent, priority): a
--          row that is 'sending' is the worker's to send, one that is 'expired' is only to be logged. expires_in is at most
--          100 years; patience_in 0: the patience is over.
--          No row where the ledger is a copy: what is due there is somebody else's to send.
--          Status 'refused': a trigger left it out of the UPDATE, or put the old row back: it is queued as before.
--          What a pause covers is set aside and not returned; without p_ids it looks behind that once more.
--          Fewer rows than ids: others have them, or they are gone.
--          Texts are cast, because somebody may have given a column a domain type; a cast of text costs nothing
-- Raises   what the UPDATE of any row raises: then claim_each() claims the others
-- Fence    (id, attempt): settle() and release() demand it
-- Locks    the rows, in the order of their ids, skipping what is locked. Only then it looks at the pauses: so it knows
--          of each that is committed by then
-- Plan     primary key, within the partitions of the ids. The status is compared with a sub-select, so that the
--          planner cannot use notifications_due, which is full of dead entries; without p_ids it uses that
--          index
-- Note     The others are for workers of before, which know no priority, no traceparent, and no ENVIRONMENT and is_test
-- Caller   workers' Store.claim, claim_each()
create or replace function notify.claim(
  p_ids uuid[], p_limit integer, p_worker text, p_lease interval, p_max_attempts integer,
  p_patience interval, p_environment text, p_takes text[], p_bulk_first boolean)
returns table (
  id uuid, status text, attempt integer, channel text, recipient text, payload text,
  expires_in interval, patience_in interval, is_test boolean, traceparent text, priority smallint)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
  v_lo uuid;
  v_hi uuid;
  v_far timestamptz := v_now + interval '100 years';
  v_past timestamptz := v_now - p_patience;
  v_takes_tests boolean := 'tests' = any (p_takes);
  v_lanes smallint[] := case when p_bulk_first then '{3,2,1,0}' else '{0,1,2,3}' end;
  v_has_expired boolean;
  v_moved integer;
  v_taken integer;
  v_more uuid[];
  v_queued constant text := 'queued';       -- variables: see Plan
  v_expired constant text := 'expired';
begin
  if not notify.is_home(p_environment) then
    return;
  end if;
  if exists (select from notify.quiet_days) then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  if p_ids is null then
    perform notify.set_due_aside(p_limit);  -- or what is paused would be all that is found
    v_ids := '{}';
    v_has_expired := false;
    for v_lo, v_hi in
      select s.lo, s.hi from notify.spans() s order by case when p_bulk_first then s.lo end, s.lo desc
    loop
      select v_ids || coalesce(array_agg(p.id), '{}'),
        v_has_expired or coalesce(bool_or(p.expires_at <= v_now), false)
        into v_ids, v_has_expired
      from (
        select d.id, d.expires_at from unnest(v_lanes) as lane
        cross join lateral (
          select n.id, n.expires_at from notify.notifications n
          where n.status = 'queued' and n.priority = lane and n.due_at <= v_now
            and (v_lo is null or n.id between v_lo and v_hi) and (v_takes_tests or not n.is_test)
          order by n.due_at, n.id
          limit p_limit
          for update skip locked
        ) d
        limit p_limit - cardinality(v_ids)
      ) p;
    end loop;
  else
    v_ids := array(select i from unnest(p_ids) as i order by i);
    v_lo := v_ids[1];
    v_hi := v_ids[cardinality(v_ids)];
    select array_agg(p.id), bool_or(p.expires_at <= v_now) into v_ids, v_has_expired
    from (
      select n.id, n.expires_at from notify.notifications n
      where n.id = any (v_ids) and n.id between v_lo and v_hi
        and n.status = (select v_queued) and n.due_at <= v_now and (v_takes_tests or not n.is_test)
      order by n.id
      limit p_limit
      for update skip locked
    ) p;
  end if;

  if v_ids is null or v_ids = '{}' then
    return;
  end if;
  if exists (select from notify.pauses p where p.resumed_at is null) then
    v_taken := cardinality(v_ids);
    v_ids := notify.set_aside(v_ids);
    if p_ids is null and cardinality(v_ids) < v_taken then
      -- What is covered and could not be set aside would be all that is found, each time.
      v_more := array(select i from unnest(notify.due_unpaused(
        p_limit - cardinality(v_ids), v_takes_tests, v_ids)) as i order by i);
      v_lo := v_more[1];
      v_hi := v_more[cardinality(v_more)];
      select coalesce(array_agg(p.id), '{}'), v_has_expired or coalesce(bool_or(p.expires_at <= v_now), false)
        into v_more, v_has_expired
      from (
        select n.id, n.expires_at from notify.notifications n
        where n.id = any (v_more) and n.id between v_lo and v_hi and n.status = (select v_queued) and n.due_at <= v_now
        order by n.id
        for update skip locked
      ) p;
      v_ids := v_ids || notify.set_aside(v_more);
    end if;
    if v_ids = '{}' then
      return;
    end if;
  end if;
  v_ids := array(select i from unnest(v_ids) as i order by i);
  v_lo := v_ids[1];
  v_hi := v_ids[cardinality(v_ids)];
  return query
  update notify.notifications n set
    status = case when n.expires_at <= v_now then 'expired' else 'sending' end,
    settled_at = case when n.expires_at <= v_now then v_now end,
    lease_until = case when n.expires_at <= v_now then null else v_now + p_lease end,
    claimed_by = case when n.expires_at <= v_now then null else p_worker end,
    attempt = case when n.expires_at <= v_now then n.attempt else n.attempt + 1 end,
    max_attempts = coalesce(n.max_attempts, p_max_attempts),
    first_claimed_at = coalesce(n.first_claimed_at, v_now)
  where n.id = any (v_ids) and n.id between v_lo and v_hi
  returning n.id, case n.status when 'queued' then 'refused' else n.status::text end, n.attempt, n.channel::text, n.recipient::text, n.payload::text,
    case when n.expires_at > v_now then least(n.expires_at, v_far) - v_now end,
    greatest(least(n.first_claimed_at, v_now), v_past) - v_past, n.is_test, n.traceparent::text,
    n.priority;

  get diagnostics v_moved = row_count;
  if v_moved < cardinality(v_ids) then
    return query
    select n.id, 'refused', n.attempt, n.channel::text, null, null, null::interval, null::interval, n.is_test, null,
      n.priority
    from notify.notifications n
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = (select v_queued);
  end if;
  if v_has_expired then
    insert into notify.slo_deltas (day, channel, priority, result, count)
    select (v_now at time zone 'utc')::date, n.channel, n.priority,
      notify.slo_result(n.status, notify.age(v_now, n.created_at, n.send_at)) as result, count(*)
    from notify.notifications n
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = (select v_expired)
    group by n.channel, n.priority, result;
  end if;
end
$$;

comment on function notify.claim(uuid[], integer, text, interval, integer, interval, text, text[], boolean) is
  'claim(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment, p_takes, p_bulk_first) -> up to p_limit rows';

create or replace function notify.claim(
  p_ids uuid[], p_limit integer, p_worker text, p_lease interval, p_max_attempts integer,
  p_patience interval, p_environment text, p_takes text[])
returns table (
  id uuid, status text, attempt integer, channel text, recipient text, payload text,
  expires_in interval, patience_in interval, is_test boolean, traceparent text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select c.id, c.status, c.attempt, c.channel, c.recipient, c.payload, c.expires_in, c.patience_in, c.is_test, c.traceparent
  from notify.claim(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment, p_takes, false) c;
end
$$;

comment on function notify.claim(uuid[], integer, text, interval, integer, interval, text, text[]) is
  'claim(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment, p_takes) -> as the other, for workers of before';

create or replace function notify.claim(
  p_ids uuid[], p_limit integer, p_worker text, p_lease interval, p_max_attempts integer,
  p_patience interval, p_environment text, p_takes_tests boolean default true)
returns table (
  id uuid, status text, attempt integer, channel text, recipient text, payload text,
  expires_in interval, patience_in interval, is_test boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select c.id, c.status, c.attempt, c.channel, c.recipient, c.payload, c.expires_in, c.patience_in, c.is_test
  from notify.claim(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment,
    case when p_takes_tests then '{tests}'::text[] else '{}' end) c;
end
$$;

comment on function notify.claim(uuid[], integer, text, interval, integer, interval, text, boolean) is
  'claim(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment) -> as the other, for workers of before';

create or replace function notify.claim(
  p_ids uuid[], p_limit integer, p_worker text, p_lease interval, p_max_attempts integer,
  p_patience interval)
returns table (
  id uuid, status text, attempt integer, channel text, recipient text, payload text,
  expires_in interval, patience_in interval)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select c.id, c.status, c.attempt, c.channel, c.recipient, c.payload, c.expires_in, c.patience_in
  from notify.claim(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience,
    notify.environment_here(), '{}'::text[]) c;
end
$$;

comment on function notify.claim(uuid[], integer, text, interval, integer, interval) is
  'claim(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience) -> as the other, for workers of before';
