-- page(p_producer, p_status, p_channel, p_reference, p_before, p_limit, p_look_max) -> one row
--
-- Find the newest notifications that match. It looks at a bounded number of rows: a page may be short or even
-- empty though it is not the last.
--
-- Args     p_producer, p_status, p_channel, p_reference text: each narrows the search, null does not; p_before
--          uuid, the cursor (null: from the newest on); p_limit rows; p_look_max, the most rows to look at: each
--          range of days that is opened counts as 500 of them. In a long ledger it opens at most two ranges
-- Returns  (ids, following): the ids, newest first; the cursor for the next call, null at the end
-- Plan     backwards in the order of ids, one range of stretches() after the other: notifications_reference for a
--          reference, notifications_failed and notifications_ended for the rarer ends, else the primary key.
--          Queued or sending rows are read from notifications_due or notifications_leased as a whole, as long
--          as they are fewer than may be looked at. Page costs are 0, so that the planner always takes the
--          index with the fewest rows; conditions that no index has are compared outside of the scan
-- Note     The one without p_producer is for processes of the deploy before
-- Caller   ApiStore.page
create or replace function notify.page(
  p_producer text, p_status text, p_channel text, p_reference text, p_before uuid, p_limit integer,
  p_look_max integer)
returns table (ids uuid[], following uuid)
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set seq_page_cost = 0 set random_page_cost = 0
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_by_reference boolean := p_reference is not null;
  v_by_status boolean := not v_by_reference and coalesce(p_status, '') in ('failed', 'cancelled', 'expired');
  v_is_moving boolean := not v_by_reference and coalesce(p_status, '') in ('queued', 'sending');
  v_left integer := p_look_max;
  v_opened_max integer := case when notify.is_long() then 2 else 1000 end;
  v_batch uuid[];
  v_seen integer;
  v_lo uuid;
  v_hi uuid;
  v_id uuid;
  v_fits boolean;
begin
  ids := '{}';
  for v_lo, v_hi in
    select s.lo, s.hi from notify.stretches('00000000-0000-0000-0000-000000000000',
      coalesce(p_before, 'ffffffff-ffff-ffff-ffff-ffffffffffff'), 16) s
    where not v_is_moving
      or exists (select from notify.spans(true) o where o.lo is null or o.lo < s.hi and o.hi >= s.lo)
    order by s.lo desc
  loop
    v_opened_max := v_opened_max - 1;
    if v_left <= 0 or v_opened_max < 0 then
      following := v_hi;
      exit;
    end if;
    v_left := greatest(v_left - 500, 1);
    if v_is_moving then
      if p_status = 'queued' then
        select count(*), array_agg(s.id order by s.id desc) filter (where s.fits) into v_seen, v_batch
        from (
          select n.id, (p_channel is null or n.channel = p_channel)
            and (p_producer is null or coalesce(n.producer = p_producer, false)) as fits
          from notify.notifications n
          where n.status = 'queued' and n.id >= v_lo and n.id < v_hi
          order by n.priority, n.due_at
          limit v_left) s;
      else
        select count(*), array_agg(s.id order by s.id desc) filter (where s.fits) into v_seen, v_batch
        from (
          select n.id, (p_channel is null or n.channel = p_channel)
            and (p_producer is null or coalesce(n.producer = p_producer, false)) as fits
          from notify.notifications n
          where n.status = 'sending' and n.id >= v_lo and n.id < v_hi
          order by n.lease_until
          limit v_left) s;
      end if;
      if v_seen < v_left then               -- that was all of this range
        v_left := v_left - v_seen;
        ids := ids || v_batch[1 : p_limit + 1 - cardinality(ids)];
        exit when cardinality(ids) > p_limit;
        continue;
      end if;
    end if;
    for v_id, v_fits in
      select n.id, (p_status is null or n.status = p_status) and (p_channel is null or n.channel = p_channel)
        and (p_producer is null or coalesce(n.producer = p_producer, false))
      from (
        select n.id, n.status, n.channel, n.producer from notify.notifications n
        where n.id >= v_lo and n.id < v_hi
          and (not v_by_reference or n.reference = p_reference)
          and (not v_by_status or n.status = p_status)
        order by n.id desc
        limit v_left) n
    loop
      v_left := v_left - 1;
      if v_fits then
        ids := ids || v_id;
        exit when cardinality(ids) > p_limit;
      end if;
      following := v_id;                    -- null again if the scan reaches its end
    end loop;
    exit when cardinality(ids) > p_limit or v_left <= 0;
    following := null;
  end loop;
  if cardinality(ids) > p_limit then
    following := ids[p_limit];
    ids := ids[1:p_limit];
  end if;
  return next;
end
$$;

comment on function notify.page(text, text, text, text, uuid, integer, integer) is
  'page(p_producer, p_status, p_channel, p_reference, p_before, p_limit, p_look_max) -> one row';

create or replace function notify.page(
  p_status text, p_channel text, p_reference text, p_before uuid, p_limit integer, p_look_max integer)
returns table (ids uuid[], following uuid)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select p.ids, p.following
  from notify.page(null, p_status, p_channel, p_reference, p_before, p_limit, p_look_max) p
$$;

comment on function notify.page(text, text, text, uuid, integer, integer) is
  'page(p_status, p_channel, p_reference, p_before, p_limit, p_look_max) -> one row';
