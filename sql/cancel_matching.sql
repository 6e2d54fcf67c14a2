-- cancel_matching(p_look_max, p_after, p_channel, p_producer, ...) -> one row
--
-- Call off the queued notifications that match, the oldest first.
--
-- Moves    queued -> cancelled
-- Args     p_look_max, the most rows to look at, and as many again where more is queued than that: each range of
--          days that is opened counts as 500 of them (in a long ledger it opens at most two ranges);
--          p_after uuid, the cursor (null: from the oldest on); p_channel, p_producer, p_reference text;
--          p_recipients text[], spellings of one recipient, compared as find_person() does; p_destination text, as
--          destination_of() spells it; p_from and p_until timestamptz, of created_at,
--          without the end: each narrows the search, null does not. p_limit rows; p_dry_run: change nothing
-- Returns  (matched, cancelled, more, following): how many queued ones match, up to p_limit; how many of them were
--          called off (others were locked, or refused by a trigger: a warning names them); whether the limits left
--          some out; if so, the cursor for the next call. It is an id, which stays what it is when its row leaves
--          the queue, or falls due at another time
-- Fence    status 'queued': what a worker has claimed stays with the worker
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     a custom plan for each range of stretches() in which something is queued: notifications_reference for a
--          reference; else notifications_due, as a whole, if what is queued there is less than may be looked at, and
--          else the primary key. No index has what is queued by its age, nor the other conditions: they are compared
--          outside of the scan. The ranges end at midnight, so that each row of a scan is one of the range.
--          destination_of() costs more than all else: who gives p_destination gives a smaller p_look_max
-- Caller   VerbStore.cancel_matching
create or replace function notify.cancel_matching(
  p_look_max integer, p_after uuid, p_channel text, p_producer text, p_reference text, p_recipients text[],
  p_destination text, p_from timestamptz, p_until timestamptz, p_limit integer, p_dry_run boolean)
returns table (matched integer, cancelled integer, more boolean, following uuid)
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set seq_page_cost = 0 set random_page_cost = 0
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_queued constant text := 'queued';       -- a variable: see cancel()
  v_after_at timestamptz := to_timestamp(
    ('x' || left(replace(p_after::text, '-', ''), 12))::bit(48)::bigint / 1000.0);
  -- An id is within a day of its created_at (see unmet_rule): so these times bound the days to read.
  v_from uuid := notify.id_floor(date_trunc('day', greatest(p_from - interval '1 day', v_after_at), 'UTC'));
  v_until uuid := notify.id_floor(date_trunc('day', least('9999-01-01Z', p_until) + interval '2 days', 'UTC'));
  v_in_any_case constant text[] := array(select notify.folded(r) from unnest(p_recipients) as r);
  v_left integer := p_look_max;
  v_opened_max integer := case when notify.is_long() then 2 else 1000 end;
  v_ids uuid[] := '{}';
  v_batch uuid[];
  v_room integer;
  v_seen integer;
  v_lo uuid;
  v_hi uuid;
  v_id uuid;
  v_fits boolean;
begin
  matched := 0;
  cancelled := 0;
  more := false;
  for v_lo, v_hi in
    select s.lo, s.hi from notify.stretches(v_from, v_until, 16) s
    where exists (select from notify.spans(true) o where o.lo is null or o.lo < s.hi and o.hi >= s.lo)
    order by s.lo
  loop
    more := v_left <= 0 or v_opened_max = 0;
    exit when more;
    v_opened_max := v_opened_max - 1;
    v_left := greatest(v_left - 500, 1);
    if p_reference is null then
      select count(*), array_agg(s.id order by s.id) filter (where s.fits) into v_seen, v_batch
      from (
        select n.id, (p_after is null or n.id > p_after)
          and (p_channel is null or n.channel = p_channel)
          and (p_producer is null or coalesce(n.producer = p_producer, false))
          and (p_recipients is null or n.recipient = any (p_recipients)
            or n.channel = 'email' and notify.folded(n.recipient) = any (v_in_any_case))
          and (p_from is null or n.created_at >= p_from)
          and (p_until is null or n.created_at < p_until)
          and (p_destination is null or coalesce(notify.destination_of(n.channel, n.recipient) = p_destination, false))
          as fits
        from notify.notifications n
        where n.status = 'queued' and n.id >= v_lo and n.id < v_hi
        order by n.priority, n.due_at
        limit v_left) s;
      if v_seen < v_left then               -- that was all of this range
        v_left := v_left - v_seen;
        v_room := p_limit - matched;
        v_ids := v_ids || v_batch[1 : v_room];
        matched := cardinality(v_ids);
        more := coalesce(cardinality(v_batch), 0) > v_room;
        following := case when more then v_ids[matched] else v_hi end;
        exit when more;
        continue;
      end if;
    end if;
    for v_id, v_fits in
      select n.id, n.status = 'queued'
        and (p_channel is null or n.channel = p_channel)
        and (p_producer is null or coalesce(n.producer = p_producer, false))
        and (p_recipients is null or n.recipient = any (p_recipients)
            or n.channel = 'email' and notify.folded(n.recipient) = any (v_in_any_case))
        and (p_from is null or n.created_at >= p_from)
        and (p_until is null or n.created_at < p_until)
        and (p_destination is null or coalesce(notify.destination_of(n.channel, n.recipient) = p_destination, false))
      from (
        select n.id, n.status, n.channel, n.producer, n.recipient, n.created_at from notify.notifications n
        where n.id >= v_lo and n.id < v_hi and (p_after is null or n.id > p_after)
          and (p_reference is null or n.reference = p_reference)
        order by n.id
        limit v_left) n
    loop
      more := v_fits and matched = p_limit;
      exit when more;
      following := v_id;
      v_left := v_left - 1;
      if v_fits then
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
      where n.id = any (v_ids) and n.id between v_lo and v_hi and n.status = (select v_queued)
      order by n.id
      for update skip locked);
    cancelled := notify.call_off(v_ids, clock_timestamp() + interval '1 second');
  end if;
  return next;
end
$$;

comment on function notify.cancel_matching(integer, uuid, text, text, text, text[], text, timestamptz, timestamptz,
  integer, boolean) is 'cancel_matching(p_look_max, p_after, p_channel, p_producer, ...) -> one row';
