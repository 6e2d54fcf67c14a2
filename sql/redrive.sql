-- redrive(p_ids, p_channel, ...) -> one row
--
-- Give dead letters another go: those named, or those that match, the oldest first. In `slo_deltas` they are
-- taken back from the day on which they failed.
--
-- Moves    failed -> queued, max_attempts = attempt + p_attempts; the attempt and the last error stay,
--          and its patience begins anew
-- Args     p_ids uuid[]; p_channel, p_code (last_error_code), p_reference text; p_from and p_until
--          timestamptz, of created_at, the end left out: each narrows, null does not. p_limit rows;
--          p_attempts integer, how many more each gets; p_rate rows per second, by which due_at is spread
--          from now on (null: all at once); p_dry_run changes nothing
-- Returns  (matched, redriven, expired, more): failed ones that match, up to p_limit; how many of them were
--          moved (others were locked); how many were passed over because their expires_at has passed,
--          and stay failed: they would expire at once; whether even more match than p_limit
-- Fence    status 'failed'. Pairs (id, attempt) of before stay stale: the next claim has the next number
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     planned for what is given: primary key for ids, notifications_reference for a reference,
--          else notifications_failed, walked in its order (no bitmap, no sort) until p_limit rows match
-- Caller   Store.redrive
create or replace function notify.redrive(
  p_ids uuid[] default null, p_channel text default null, p_code text default null,
  p_reference text default null, p_from timestamptz default null, p_until timestamptz default null,
  p_limit integer default 1000, p_attempts integer default 4, p_rate double precision default 100,
  p_dry_run boolean default false)
returns table (matched integer, redriven integer, expired integer, more boolean)
language plpgsql set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off as $$
declare
  v_now timestamptz := clock_timestamp();
  -- An id is made within a minute of its created_at: so the times bound the days to be read.
  v_lo uuid := notify.id_floor(least('9999-01-01Z',
    greatest('epoch', p_from - interval '1 minute')));
  v_hi uuid := notify.id_floor(least('9999-01-01Z',
    greatest('epoch', coalesce(p_until, 'infinity') + interval '1 minute')));
  v_ids uuid[] := '{}';
  v_id uuid;
  v_is_late boolean;
begin
  matched := 0;
  redriven := 0;
  expired := 0;
  more := false;
  for v_id, v_is_late in
    select n.id, coalesce(n.expires_at <= v_now, false) from notify.notifications n
    where n.status = 'failed' and n.id between v_lo and v_hi
      and (p_ids is null or n.id = any (p_ids))
      and (p_channel is null or n.channel = p_channel)
      and (p_code is null or n.last_error_code = p_code)
      and (p_reference is null or n.reference = p_reference)
      and (p_from is null or n.created_at >= p_from)
      and (p_until is null or n.created_at < p_until)
    order by n.id
  loop
    if v_is_late then
      expired := expired + 1;
    elsif matched < p_limit then
      matched := matched + 1;
      v_ids := v_ids || v_id;
    else
      more := true;
      exit;
    end if;
  end loop;

  if not p_dry_run then
    v_lo := v_ids[1];
    v_hi := v_ids[matched];
    v_ids := array(
      select n.id from notify.notifications n
      where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = 'failed'
      order by n.id
      for update skip locked);
    redriven := cardinality(v_ids);
    v_now := clock_timestamp();
    insert into notify.slo_deltas (day, channel, priority, result, count)
    select (n.settled_at at time zone 'utc')::date as day, n.channel, n.priority,
      notify.slo_result(n.status, n.settled_at - greatest(n.created_at, n.send_at)) as result, -count(*)
    from notify.notifications n
    where n.id = any (v_ids) and n.id between v_lo and v_hi
    group by day, n.channel, n.priority, result;
    update notify.notifications n set
      status = 'queued',
      max_attempts = n.attempt + p_attempts,
      due_at = v_now + coalesce((g.place - 1) / p_rate * interval '1 second', '0'),
      settled_at = null,
      first_claimed_at = null
    from unnest(v_ids) with ordinality as g(id, place)
    where n.id = any (v_ids) and n.id between v_lo and v_hi and n.id = g.id;
  end if;
  return next;
end
$$;

comment on function notify.redrive(uuid[], text, text, text, timestamptz, timestamptz, integer, integer,
  double precision, boolean) is 'redrive(p_ids, p_channel, ...) -> one row';
