-- redrive(p_look_max, p_after, p_ids, p_channel, ...) -> one row
--
-- Queue failed notifications again: those with these ids, or those that match, the oldest first. `slo_deltas`
-- takes them back from the day on which they failed.
--
-- Moves    failed -> queued, max_attempts = attempt + p_attempts; the attempt and the last error stay, and the
--          patience begins again
-- Args     p_look_max, the most rows to look at: each range of days that is opened counts as 500 of them (in a
--          long ledger it opens at most two ranges);
--          p_after uuid, the cursor (null: from the oldest on); p_ids uuid[]; p_channel, p_code
--          (last_error_code), p_reference, p_producer text; p_recipients text[], spellings of one recipient,
--          compared as find_person() does; p_destination text, as destination_of() spells it; p_from and p_until
--          timestamptz, of created_at, without the end: each narrows the search, null does not. p_limit rows; p_attempts integer, how many more each
--          gets; p_rate, rows per second by which due_at is spread from now on (null: all at once); p_dry_run:
--          change nothing
-- Returns  (matched, redriven, expired, more, following): how many failed ones match, up to p_limit; how many
--          of them were moved (others were locked, or refused by a trigger: a warning names them); how many
--          stay failed because their expires_at has passed: they would expire at once; whether the limits left
--          some out; if so, the cursor for the next call
-- Fence    status 'failed', and a payload: what was emptied does not match. Earlier pairs (id, attempt) stay
--          stale: the next claim has the next number
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     a custom plan for each range of stretches(): the primary key for ids, notifications_reference for a
--          reference, else notifications_failed, read in its order (no bitmap, no sort). Page costs are 0, so
--          that the planner always takes the index with the fewest rows; the other conditions are compared
--          outside of the scan
-- Note     No argument has a default: with one, calls of the older redrive() would be ambiguous during a deploy.
--          destination_of() costs more than all else: who gives p_destination gives a smaller p_look_max
-- Caller   VerbStore.redrive
create or replace function notify.redrive(
  p_look_max integer, p_after uuid, p_ids uuid[], p_channel text, p_code text, p_reference text,
  p_producer text, p_recipients text[], p_destination text, p_from timestamptz, p_until timestamptz,
  p_limit integer, p_attempts integer, p_rate double precision, p_dry_run boolean)
returns table (matched integer, redriven integer, expired integer, more boolean, following uuid)
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set seq_page_cost = 0 set random_page_cost = 0
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
  -- An id is within a day of its created_at (see unmet_rule): so these times bound the days to read.
  v_from uuid := notify.id_floor(least('9999-01-01Z',
    greatest('epoch', p_from - interval '1 day')));
  v_until uuid := notify.id_floor(least('9999-01-01Z',
    greatest('epoch', coalesce(p_until, 'infinity') + interval '1 day')));
  v_asked uuid[] := array(select i from unnest(p_ids) as i where i is not null order by i);
  v_in_any_case constant text[] := array(select notify.folded(r) from unnest(p_recipients) as r);
  v_left integer := p_look_max;
  v_opened_max integer := case when notify.is_long() then 2 else 1000 end;
  v_ids uuid[] := '{}';
  v_lo uuid;
  v_hi uuid;
  v_id uuid;
  v_fits boolean;
  v_is_late boolean;
begin
  matched := 0;
  redriven := 0;
  expired := 0;
  more := false;
  for v_lo, v_hi in
    select s.lo, s.hi from notify.stretches(greatest(v_from, p_after, v_asked[1]), v_until, 16) s
    where p_ids is null or s.lo <= v_asked[cardinality(v_asked)]
    order by s.lo
  loop
    more := v_left <= 0 or v_opened_max = 0;
    exit when more;
    v_opened_max := v_opened_max - 1;
    v_left := greatest(v_left - 500, 1);
    for v_id, v_fits, v_is_late in
      select n.id, n.status = 'failed' and n.emptied_at is null
          and (p_channel is null or n.channel = p_channel)
          and (p_code is null or coalesce(n.last_error_code = p_code, false))
          and (p_reference is null or coalesce(n.reference = p_reference, false))
          and (p_producer is null or coalesce(n.producer = p_producer, false))
          and (p_recipients is null or n.recipient = any (p_recipients)
            or n.channel = 'email' and notify.folded(n.recipient) = any (v_in_any_case))
          and (p_from is null or n.created_at >= p_from)
          and (p_until is null or n.created_at < p_until)
          and (p_destination is null or coalesce(notify.destination_of(n.channel, n.recipient) = p_destination, false)),
        coalesce(n.expires_at <= v_now, false)
      from (
        select n.* from notify.notifications n
        where n.id >= v_lo and n.id < v_hi and (p_after is null or n.id > p_after)
          and (p_ids is null or n.id = any (v_asked))
          and (p_ids is not null or p_reference is null or n.reference = p_reference)
          and (p_ids is not null or p_reference is not null or n.status = 'failed')
        order by n.id
        limit v_left) n
    loop
      more := v_fits and not v_is_late and matched = p_limit;
      exit when more;
      following := v_id;
      v_left := v_left - 1;
      if v_fits and v_is_late then
        expired := expired + 1;
      elsif v_fits then
        matched := matched + 1;
        v_ids := v_ids || v_id;
      end if;
    end loop;
    exit when more;
    if v_left <= 0 then
      more := true;
      exit;
    end if;
    following := v_hi;
  end loop;
  if not more then
    following := null;
  end if;

  if matched > 0 and not p_dry_run then
    v_lo := v_ids[1];
    v_hi := v_ids[matched];
    v_ids := array(
      select n.id from notify.notifications n
      where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = 'failed' and n.emptied_at is null
      order by n.id
      for update skip locked);
    v_now := clock_timestamp();
    redriven := notify.requeue(v_ids, p_attempts, v_now, coalesce(interval '1 second' / p_rate, '0'),
      v_now + interval '1 second');
  end if;
  return next;
end
$$;

comment on function notify.redrive(integer, uuid, uuid[], text, text, text, text, text[], text, timestamptz,
  timestamptz, integer, integer, double precision, boolean) is 'redrive(p_look_max, p_after, p_ids, p_channel, ...) -> one row';
