-- enqueue_keyed(p_rows, p_lock_wait) -> one row per element
--
-- Insert many notifications as one statement, as enqueue_all() does, and take their idempotency keys.
--
-- Moves    nothing -> queued
-- Args     p_rows jsonb, an array of objects with the columns a producer may set, and producer, is_test and
--          traceparent;
--          at most 1000; p_lock_wait interval: how long it waits for a key that an open transaction holds
-- Returns  (ord, id, created_at, replayed); ord is the element's place, from 1. replayed: the same request was
--          here before; id and created_at are the first one's
-- Raises   what any of the rows raises; 55P03: a key was not to be had in time; 23505: somebody took a key
--          meanwhile, or it stands in the array twice; ND003: see enqueue_all(), or a key was used for another
--          request. Then no row is inserted, and the caller calls enqueue(), which takes the rows apart
-- Note     All keys are taken as one statement, at a third of what take_key() costs; its trigger is told so by
--          notify.keys. They are taken in one order, so that two batches with the same keys cannot deadlock.
--          The looks for a known key are scalar, so that each is one of the primary key: as EXISTS the planner
--          may read the whole table for one plan, and keep that plan while the table grows
-- Caller   EnqueueStore.enqueue
create or replace function notify.enqueue_keyed(p_rows jsonb, p_lock_wait interval)
returns table (ord bigint, id uuid, created_at timestamptz, replayed boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_producer text := notify.producer_of(notify.speaking_role());
  v_lock_timeout text := current_setting('lock_timeout');
  -- At higher isolation levels take_key() has more to do.
  v_takes_keys boolean := current_setting('transaction_isolation') = 'read committed';
  v_rows integer := jsonb_array_length(p_rows);
  v_ids uuid[];                               -- by place, as all these; null: not inserted
  v_times timestamptz[];
  v_producers text[];
  v_keys text[];
  v_requests bigint[];
  v_done integer;
  v_replayed integer := 0;
begin
  perform set_config('lock_timeout', (extract(epoch from p_lock_wait) * 1000)::integer::text, true),
    set_config('notify.keys', case when v_takes_keys then 'taken' else '' end, true);
  with input as materialized (
    select notify.new_id() as id, r.* from notify.rows_of(v_producer, p_rows) r
  ),
  queued as (
    insert into notify.notifications
      (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference,
       idempotency_key, producer, is_test, traceparent)
    select i.id, i.channel, i.recipient, i.payload, i.priority, i.send_at, i.expires_at, i.max_attempts, i.reference,
      i.idempotency_key, i.producer, i.is_test, i.traceparent
    from input i
    where i.idempotency_key is null or coalesce(
      (select k.request from notify.idempotency_keys k where k.producer = i.producer and k.key = i.idempotency_key),
      (select b.request from notify.idempotency_keys_before b
       where b.producer = i.producer and b.key = i.idempotency_key)) is null
    returning notifications.id, notifications.created_at
  )
  select array_agg(q.id order by i.ord), array_agg(q.created_at order by i.ord), count(q.id),
    array_agg(i.producer order by i.ord), array_agg(i.idempotency_key order by i.ord),
    array_agg(case when i.idempotency_key is not null then notify.request_hash(i.channel, i.recipient, i.payload,
      i.priority, i.send_at, i.expires_at, i.max_attempts, i.reference, i.is_test) end order by i.ord)
  into v_ids, v_times, v_done, v_producers, v_keys, v_requests
  from input i left join queued q using (id);
  if v_takes_keys then
    insert into notify.idempotency_keys (producer, key, request, notification_id, created_at)
    select n.producer, n.key, n.request, n.id, n.created_at
    from unnest(v_producers, v_keys, v_requests, v_ids, v_times) as n(producer, key, request, id, created_at)
    where n.key is not null and n.id is not null
    order by n.key collate "C", n.producer collate "C";
  end if;
  return query
  select n.ord, n.id, n.created_at, false
  from unnest(v_ids, v_times) with ordinality as n(id, created_at, ord)
  where n.id is not null;
  if v_done < v_rows then
    return query
    select n.ord, k.notification_id, k.created_at, true
    from unnest(v_ids, v_producers, v_keys, v_requests) with ordinality as n(id, producer, key, request, ord)
    cross join lateral notify.known_key(n.producer, n.key) as k
    where n.id is null and k.request = n.request;
    get diagnostics v_replayed = row_count;
  end if;
  if v_done + v_replayed <> v_rows or v_rows > 1000 or notify.has_strangers() then
    raise exception using errcode = 'ND003', message = 'somebody else may have a say: ask enqueue()';
  end if;
  perform set_config('notify.keys', '', true), set_config('lock_timeout', v_lock_timeout, true);
end
$$;

comment on function notify.enqueue_keyed(jsonb, interval) is
  'enqueue_keyed(p_rows, p_lock_wait) -> one row per element';

