-- outcomes(by_id, by_reference, by_key, since) -> one row per notification, newest first
--
-- Tell a producer what became of its own notifications.
--
-- Args     by_id uuid, by_reference text, by_key text, an idempotency key of the last day or so: the first
--          that is not null finds them, and none of them all; since timestamptz, not before (null: a day ago, or
--          ever if one of the others is given)
-- Returns  up to 1000 rows, without payload and recipient; due_at null: a pause keeps it
-- Raises   ND010: it looked at 100,000 notifications of all producers, and older ones may be the producer's too
-- Note     Unlike the view of its name it tells EXPLAIN ANALYZE nothing of how many rows of others it left out, or
--          whether others have such a reference, and is bounded. Nothing here runs what a caller wrote
-- Plan     primary key, or notifications_reference, backwards, one range of stretches() after the other
-- Caller   the migration 9999 deploys it; producers call it
create or replace function notify.outcomes(
  by_id uuid default null, by_reference text default null, by_key text default null, since timestamptz default null)
returns table (id uuid, channel text, reference text, idempotency_key text, is_test boolean, status text,
  attempt integer, max_attempts integer, send_at timestamptz, due_at timestamptz, expires_at timestamptz,
  created_at timestamptz, settled_at timestamptz, last_error_code text, last_error text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set seq_page_cost = 0 set random_page_cost = 0
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_producer text := notify.producer_of(notify.speaking_role());
  v_from uuid := '00000000-0000-0000-0000-000000000000';
  v_left integer := 100000;
  v_ids uuid[] := '{}';
  v_lo uuid;
  v_hi uuid;
  v_id uuid;
  v_is_own boolean;
begin
  if by_id is not null then
    v_ids := array[by_id];
  elsif by_reference is null and by_key is not null then
    v_ids := array(select k.notification_id from notify.known_key(v_producer, by_key) k);
  else
    if since is not null or by_reference is null then
      v_from := notify.id_floor(coalesce(since, clock_timestamp() - interval '1 day'));
    end if;
    <<ranges>>
    for v_lo, v_hi in
      select s.lo, s.hi from notify.stretches(v_from, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 16) s order by s.lo desc
    loop
      for v_id, v_is_own in
        select n.id, n.producer = v_producer from notify.notifications n
        where n.id >= v_lo and n.id < v_hi and (by_reference is null or n.reference = by_reference)
        order by n.id desc
        limit v_left + 1
      loop
        if v_left = 0 then
          raise exception using errcode = 'ND010',
            message = 'those of other producers are too many to look through: older ones of yours may be among them',
            hint = 'Give a later since, or ask the view notify.outcomes with its reference or id >= notify.id_floor(...).';
        end if;
        v_left := v_left - 1;
        if v_is_own then
          v_ids := v_ids || v_id;
          exit ranges when cardinality(v_ids) = 1000;
        end if;
      end loop;
    end loop;
  end if;
  v_lo := (select min(i::text collate "C")::uuid from unnest(v_ids) as i);
  v_hi := (select max(i::text collate "C")::uuid from unnest(v_ids) as i);
  return query
  select n.id, n.channel, n.reference, n.idempotency_key, n.is_test, n.status, n.attempt, n.max_attempts, n.send_at,
    case when n.due_at not between '3000-01-01Z' and '3999-12-31Z' then n.due_at end, n.expires_at, n.created_at, n.settled_at, n.last_error_code, n.last_error
  from notify.notifications n
  where n.id = any (v_ids) and n.id between v_lo and v_hi and n.producer = v_producer
    and (since is null or n.created_at >= since)
  order by n.id desc;
end
$$;

comment on function notify.outcomes(uuid, text, text, timestamptz) is
  'outcomes(by_id, by_reference, by_key, since) -> one row per notification, newest first';
