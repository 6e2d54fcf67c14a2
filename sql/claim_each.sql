-- claim_each(p_ids, p_limit, p_worker, p_lease, ...) -> up to p_limit rows, and those that were refused
--
-- Claim what claim() could not claim as one batch: halve it until each row that cannot be claimed is alone.
--
-- Moves    as claim() does. A refused row stays queued, and is put off for a minute if the database allows it:
--          last_error_code 'refused', last_error PostgreSQL's message
-- Args     as claim(); p_skip uuid[], refused lately, which are left out when p_ids is null; p_ends
--          timestamptz: after it no batch is halved
-- Returns  as claim(), and error: why a row is 'refused', PostgreSQL's message
-- Note     The others are for workers of before, as those of claim()
-- Fence    as claim()
-- Locks    as claim(), in a subtransaction for each part: about 2 for each refused row and each halving
-- Plan     as claim(). Constraint triggers that somebody deferred run at once, or they would refuse the
--          whole call when it commits. A text that the client's encoding lacks makes its row refused
-- Caller   workers' Store.claim, when claim() failed
create or replace function notify.claim_each(
  p_ids uuid[], p_limit integer, p_worker text, p_lease interval, p_max_attempts integer,
  p_patience interval, p_environment text, p_takes text[], p_bulk_first boolean, p_skip uuid[],
  p_ends timestamptz default clock_timestamp() + interval '1 second')
returns table (
  id uuid, status text, attempt integer, channel text, recipient text, payload text,
  expires_in interval, patience_in interval, is_test boolean, traceparent text, priority smallint, error text)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();   -- a variable: a volatile function bounds no scan
  v_ids uuid[] := p_ids;
  v_lanes smallint[] := case when p_bulk_first then '{3,2,1,0}' else '{0,1,2,3}' end;
  v_half integer;
  v_found integer;
  v_error text;
  v_context text;
  v_lo uuid;
  v_hi uuid;
begin
  if exists (select from notify.quiet_days) then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  if p_ids is null and exists (select from notify.pauses p where p.resumed_at is null) then
    perform notify.set_due_aside(p_limit);  -- as in claim()
    v_ids := notify.due_unpaused(p_limit, 'tests' = any (p_takes), p_skip);
  elsif p_ids is null then
    v_ids := '{}';
    for v_lo, v_hi in
      select s.lo, s.hi from notify.spans() s order by case when p_bulk_first then s.lo end, s.lo desc
    loop
      v_ids := v_ids || array(
        select d.id from unnest(v_lanes) as lane
        cross join lateral (
          select n.id from notify.notifications n
          where n.status = 'queued' and n.priority = lane and n.due_at <= v_now
            and n.id <> all (p_skip) and (v_lo is null or n.id between v_lo and v_hi)
            and ('tests' = any (p_takes) or not n.is_test)
          order by n.due_at, n.id
          limit p_limit
        ) d
        limit p_limit - cardinality(v_ids));
    end loop;
  end if;
  set constraints all immediate;
  begin
    -- The sort makes sure that no row is returned before the text of the last one has been converted.
    return query
    select c.*, case c.status when 'refused' then 'a trigger left it out' end
    from notify.claim(v_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment,
      p_takes, p_bulk_first) c
    where convert_to(concat(c.recipient, c.payload), pg_client_encoding()) is not null
    order by c.id;
    return;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
    get stacked diagnostics v_context = pg_exception_context;
    v_error := notify.culprit(sqlerrm, v_context);
  end;

  v_half := cardinality(v_ids) / 2;
  if v_half = 0 then
    perform notify.rest(v_ids[1], v_error); -- or the caller leaves it out for a while, by p_skip
    return query
    select v_ids[1], 'refused', null::integer, null, null, null, null::interval, null::interval,
      null::boolean, null, null::smallint, v_error;
  elsif clock_timestamp() < p_ends then
    return query
    select * from notify.claim_each(v_ids[:v_half], p_limit, p_worker, p_lease, p_max_attempts,
      p_patience, p_environment, p_takes, p_bulk_first, p_skip, p_ends);
    get diagnostics v_found = row_count;
    return query
    select * from notify.claim_each(v_ids[v_half + 1:], p_limit - v_found, p_worker, p_lease,
      p_max_attempts, p_patience, p_environment, p_takes, p_bulk_first, p_skip, p_ends);
  end if;
end
$$;

comment on function notify.claim_each(uuid[], integer, text, interval, integer, interval, text, text[], boolean, uuid[],
  timestamptz) is
  'claim_each(p_ids, p_limit, p_worker, p_lease, ...) -> up to p_limit rows, and those that were refused';

create or replace function notify.claim_each(
  p_ids uuid[], p_limit integer, p_worker text, p_lease interval, p_max_attempts integer,
  p_patience interval, p_environment text, p_takes text[], p_skip uuid[],
  p_ends timestamptz default clock_timestamp() + interval '1 second')
returns table (
  id uuid, status text, attempt integer, channel text, recipient text, payload text,
  expires_in interval, patience_in interval, is_test boolean, traceparent text, error text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select c.id, c.status, c.attempt, c.channel, c.recipient, c.payload, c.expires_in, c.patience_in, c.is_test, c.traceparent,
    c.error
  from notify.claim_each(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment, p_takes, false,
    p_skip, p_ends) c;
end
$$;

comment on function notify.claim_each(uuid[], integer, text, interval, integer, interval, text, text[], uuid[],
  timestamptz) is
  'claim_each(p_ids, p_limit, p_worker, p_lease, ...) -> as the other, for workers of before';

create or replace function notify.claim_each(
  p_ids uuid[], p_limit integer, p_worker text, p_lease interval, p_max_attempts integer,
  p_patience interval, p_environment text, p_skip uuid[] default '{}',
  p_ends timestamptz default clock_timestamp() + interval '1 second', p_takes_tests boolean default true)
returns table (
  id uuid, status text, attempt integer, channel text, recipient text, payload text,
  expires_in interval, patience_in interval, is_test boolean, error text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select c.id, c.status, c.attempt, c.channel, c.recipient, c.payload, c.expires_in, c.patience_in, c.is_test, c.error
  from notify.claim_each(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience, p_environment,
    case when p_takes_tests then '{tests}'::text[] else '{}' end, p_skip, p_ends) c;
end
$$;

comment on function notify.claim_each(uuid[], integer, text, interval, integer, interval, text, uuid[],
  timestamptz, boolean) is
  'claim_each(p_ids, p_limit, p_worker, p_lease, ...) -> as the other, for workers of before';

create or replace function notify.claim_each(
  p_ids uuid[], p_limit integer, p_worker text, p_lease interval, p_max_attempts integer,
  p_patience interval, p_skip uuid[] default '{}',
  p_ends timestamptz default clock_timestamp() + interval '1 second')
returns table (
  id uuid, status text, attempt integer, channel text, recipient text, payload text,
  expires_in interval, patience_in interval, error text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return query
  select c.id, c.status, c.attempt, c.channel, c.recipient, c.payload, c.expires_in, c.patience_in, c.error
  from notify.claim_each(p_ids, p_limit, p_worker, p_lease, p_max_attempts, p_patience,
    notify.environment_here(), '{}'::text[], p_skip, p_ends) c;
end
$$;

comment on function notify.claim_each(uuid[], integer, text, interval, integer, interval, uuid[],
  timestamptz) is
  'claim_each(p_ids, p_limit, p_worker, p_lease, ...) -> as the other, for workers of before';
