-- page(p_producer, p_status, p_channel, p_reference, p_recipients, ...) -> one row
--
-- Find the newest notifications that match. It looks at a bounded number of rows: a page may be short or even
-- empty though it is not the last.
--
-- Args     Each of these narrows the search, null does not: p_producer, p_status, p_channel, p_reference text;
--          p_recipients text[], spellings of one recipient, compared as find_person() does; p_destination text, as
--          destination_of() spells it; p_code text, last_error_code; p_worker text, the beginning of the name of who
--          sends it now or of an attempt's worker; p_from and p_until timestamptz, of created_at, without the end.
--          p_before uuid, the cursor (null: from the newest on); p_limit rows; p_look_max, the most rows to look at:
--          each range of days that is opened counts as 500 of them; with p_destination they count as 8 each, with
--          p_worker as 4, else those of a rarer end as 2, as they take so much longer. In a long ledger it opens at most two
--          ranges
-- Returns  (ids, following, looked, back_to): the ids, newest first; the cursor for the next call, null at the end;
--          how many rows were looked at; the time of the cursor, back to which all were
-- Plan     backwards in the order of ids, one range of stretches() after the other: notifications_reference for a
--          reference, notifications_failed and notifications_ended for the rarer ends, else the primary key.
--          Queued or sending rows are read from notifications_due or notifications_leased as a whole, as long
--          as they are fewer than may be looked at; else p_from and p_until bound the ids. Page costs are 0, so
--          that the planner always takes the index with the fewest rows; conditions that no index has are compared
--          outside of the scan. The attempts of a row by their primary key
-- Note     An id is made within microseconds of its created_at, unless its producer made it: then a time finds it
--          only if that was within 10 minutes. A day, which a producer may be off, would be a million rows to walk.
--          The other two are for processes of the deploys before
-- Caller   ReadStore.page
create or replace function notify.page(
  p_producer text, p_status text, p_channel text, p_reference text, p_recipients text[], p_destination text,
  p_code text, p_worker text, p_from timestamptz, p_until timestamptz, p_before uuid, p_limit integer, p_look_max integer)
returns table (ids uuid[], following uuid, looked integer, back_to timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set seq_page_cost = 0 set random_page_cost = 0
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_by_reference boolean := p_reference is not null;
  v_by_status boolean := not v_by_reference and coalesce(p_status, '') in ('failed', 'cancelled', 'expired');
  v_is_queued boolean := not v_by_reference and coalesce(p_status, '') = 'queued';
  v_is_sending boolean := not v_by_reference and coalesce(p_status, '') = 'sending';
  v_is_moving boolean := v_is_queued or v_is_sending;
  v_in_any_case text[];
  v_from uuid := '00000000-0000-0000-0000-000000000000';
  v_until uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  v_left integer := p_look_max;
  v_range_cost integer := 500;
  v_opened_max integer := case when notify.is_long() then 2 else 1000 end;
  v_batch uuid[];
  v_seen integer;
  v_had integer;
  v_lo uuid;
  v_hi uuid;
  v_id uuid;
  v_fits boolean;
begin
  ids := '{}';
  looked := 0;
  if p_from is not null or p_until is not null or p_recipients is not null or p_worker is not null
    or p_destination is not null or v_by_status
  then
    v_in_any_case := array(select notify.folded(r) from unnest(p_recipients) as r);
    v_from := notify.id_floor(coalesce(p_from - interval '10 minutes', '-infinity'));
    if isfinite(p_until) then
      v_until := notify.id_floor(p_until + interval '10 minutes');
    end if;
    if p_destination is not null then       -- 18 µs each
      v_left := greatest(v_left / 8, 1);
      v_range_cost := v_range_cost / 8;
    elsif p_worker is not null then
      v_left := greatest(v_left / 4, 1);
      v_range_cost := v_range_cost / 4;
    elsif v_by_status then                  -- each is on a page of its own
      v_left := greatest(v_left / 2, 1);
      v_range_cost := v_range_cost / 2;
    end if;
  end if;
  for v_lo, v_hi in
    select s.lo, s.hi from notify.stretches('00000000-0000-0000-0000-000000000000',
      coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), 16) s
    where s.hi > v_from and s.lo < v_until
      and (not v_is_moving
        or exists (select from notify.spans(true) o where o.lo is null or o.lo < s.hi and o.hi >= s.lo))
    order by s.lo desc
  loop
    v_opened_max := v_opened_max - 1;
    if v_left <= 0 or v_opened_max < 0 then
      following := v_hi;
      exit;
    end if;
    v_left := greatest(v_left - v_range_cost, 1);
    if v_is_moving then
      select count(*), array_agg(s.id order by s.id desc) filter (where (p_channel is null or s.channel = p_channel)
          and (p_producer is null or coalesce(s.producer = p_producer, false))
          and (p_recipients is null or s.recipient = any (p_recipients)
            or s.channel = 'email' and notify.folded(s.recipient) = any (v_in_any_case))
          and (p_code is null or coalesce(s.last_error_code = p_code, false))
          and (p_from is null or s.created_at >= p_from)
          and (p_until is null or s.created_at < p_until)
          and (p_destination is null
            or coalesce(notify.destination_of(s.channel, s.recipient) = p_destination, false))
          and (p_worker is null or coalesce(starts_with(s.claimed_by, p_worker), false)
            or coalesce((select true from notify.attempts a
              where a.notification_id = s.id and a.notification_id >= v_lo and a.notification_id < v_hi
                and starts_with(a.worker, p_worker)
              limit 1), false))) into v_seen, v_batch
      from (
        (select n.id, n.channel, n.producer, n.recipient, n.last_error_code, n.created_at, n.claimed_by
        from notify.notifications n
        where v_is_queued and n.status = 'queued' and n.id >= v_lo and n.id < v_hi
        order by n.priority, n.due_at
        limit v_left)
        union all
        (select n.id, n.channel, n.producer, n.recipient, n.last_error_code, n.created_at, n.claimed_by
        from notify.notifications n
        where v_is_sending and n.status = 'sending' and n.id >= v_lo and n.id < v_hi
        order by n.lease_until
        limit v_left)) s;
      looked := looked + v_seen;
      if v_seen < v_left then               -- that was all of this range
        v_left := v_left - v_seen;
        ids := ids || v_batch[1 : p_limit + 1 - cardinality(ids)];
        exit when cardinality(ids) > p_limit;
        continue;
      end if;
    end if;
    v_had := v_left;
    for v_id, v_fits in
      select s.id, (p_status is null or s.status = p_status)
        and (p_channel is null or s.channel = p_channel)
        and (p_producer is null or coalesce(s.producer = p_producer, false))
        and (p_recipients is null or s.recipient = any (p_recipients)
          or s.channel = 'email' and notify.folded(s.recipient) = any (v_in_any_case))
        and (p_code is null or coalesce(s.last_error_code = p_code, false))
        and (p_from is null or s.created_at >= p_from)
        and (p_until is null or s.created_at < p_until)
        and (p_destination is null or coalesce(notify.destination_of(s.channel, s.recipient) = p_destination, false))
        and (p_worker is null or coalesce(starts_with(s.claimed_by, p_worker), false)
          or coalesce((select true from notify.attempts a
            where a.notification_id = s.id and a.notification_id >= v_lo and a.notification_id < v_hi
              and starts_with(a.worker, p_worker)
            limit 1), false))
      from (
        select n.id, n.status, n.channel, n.producer, n.recipient, n.last_error_code, n.created_at, n.claimed_by
        from notify.notifications n
        where n.id >= greatest(v_lo, v_from) and n.id < least(v_hi, v_until)
          and (not v_by_reference or n.reference = p_reference)
          and (not v_by_status or n.status = p_status)
        order by n.id desc
        limit v_left) s
    loop
      v_left := v_left - 1;
      if v_fits then
        ids := ids || v_id;
        exit when cardinality(ids) > p_limit;
      end if;
      following := v_id;                    -- null again if the scan reaches its end
    end loop;
    looked := looked + v_had - v_left;
    exit when cardinality(ids) > p_limit or v_left <= 0;
    following := null;
  end loop;
  if cardinality(ids) > p_limit then
    following := ids[p_limit];
    ids := ids[1:p_limit];
  end if;
  back_to := notify.readable(
    to_timestamp(('x' || left(replace(following::text, '-', ''), 12))::bit(48)::bigint / 1000.0));
  return next;
end
$$;

comment on function notify.page(text, text, text, text, text[], text, text, text, timestamptz, timestamptz, uuid,
  integer, integer) is 'page(p_producer, p_status, p_channel, p_reference, p_recipients, ...) -> one row';

create or replace function notify.page(
  p_producer text, p_status text, p_channel text, p_reference text, p_before uuid, p_limit integer,
  p_look_max integer)
returns table (ids uuid[], following uuid)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select p.ids, p.following
  from notify.page(p_producer, p_status, p_channel, p_reference, null, null, null, null, null, null, p_before, p_limit,
    p_look_max) p
$$;

comment on function notify.page(text, text, text, text, uuid, integer, integer) is
  'page(p_producer, p_status, p_channel, p_reference, p_before, p_limit, p_look_max) -> one row';

create or replace function notify.page(
  p_status text, p_channel text, p_reference text, p_before uuid, p_limit integer, p_look_max integer)
returns table (ids uuid[], following uuid)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select p.ids, p.following
  from notify.page(null, p_status, p_channel, p_reference, null, null, null, null, null, null, p_before, p_limit,
    p_look_max) p
$$;

comment on function notify.page(text, text, text, uuid, integer, integer) is
  'page(p_status, p_channel, p_reference, p_before, p_limit, p_look_max) -> one row';
