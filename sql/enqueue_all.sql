-- enqueue_all(p_rows, p_lock_wait) -> one row per element
--
-- Insert many notifications as one statement: the requests of the same few milliseconds share a commit.
--
-- Moves    nothing -> queued
-- Args     p_rows jsonb, an array of objects with the columns a producer may set, and producer and is_test;
--          at most 1000; p_lock_wait interval: how long it waits for an idempotency key that an open
--          transaction holds (null: for as long as lock_timeout says)
-- Returns  (ord, id, created_at, replayed); ord is the element's place, from 1. replayed: the same request was
--          here before, or stands in this array twice; id and created_at are the first one's
-- Raises   what any of the rows raises; 55P03: a key was not to be had in time; ND003: not every row came back
--          as it was sent, or there are triggers or rules that are not ours. Then no row is inserted, and the
--          caller calls enqueue(), which takes the rows apart
-- Note     It opens no subtransaction, and calls has_strangers() only once: both would cost every call.
--          Rows are inserted in the order of their keys, so that two batches with the same keys cannot deadlock
-- Caller   ApiStore.enqueue
create or replace function notify.enqueue_all(p_rows jsonb, p_lock_wait interval)
returns table (ord bigint, id uuid, created_at timestamptz, replayed boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_producer text := notify.producer_of(notify.speaking_role());
  v_lock_timeout text := current_setting('lock_timeout');
  v_rows integer := jsonb_array_length(p_rows);
  v_ids uuid[];                               -- by place; null: not inserted
  v_times timestamptz[];
  v_done integer;
  v_replayed integer := 0;
begin
  if p_lock_wait is not null then
    perform set_config('lock_timeout', (extract(epoch from p_lock_wait) * 1000)::integer::text, true);
  end if;
  with input as materialized (
    select notify.new_id() as id, s.*
    from (
      select r.*
      from rows from (jsonb_to_recordset(p_rows) as (
        channel text, recipient text, payload jsonb, priority smallint, send_at timestamptz,
        expires_at timestamptz, max_attempts integer, reference text, idempotency_key text,
        producer text, is_test boolean
      )) with ordinality as r(
        channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference,
        idempotency_key, producer, is_test, ord)
      order by r.idempotency_key collate "C" nulls first, r.producer collate "C", r.ord
    ) as s
  ),
  queued as (
    insert into notify.notifications
      (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference,
       idempotency_key, producer, is_test)
    select i.id, i.channel, i.recipient, coalesce(i.payload, 'null'), coalesce(i.priority, 2),
      i.send_at, i.expires_at, i.max_attempts, i.reference,
      i.idempotency_key, coalesce(i.producer, v_producer), coalesce(i.is_test, false)
    from input i
    returning notifications.id, notifications.created_at
  )
  select array_agg(q.id order by i.ord), array_agg(q.created_at order by i.ord), count(q.id)
  into v_ids, v_times, v_done
  from input i left join queued q using (id);
  return query
  select n.ord, n.id, n.created_at, false
  from unnest(v_ids, v_times) with ordinality as n(id, created_at, ord)
  where n.id is not null;
  if v_done < v_rows then                       -- what take_key() dropped was here before
    return query
    select e.ord, k.notification_id, k.created_at, true
    from jsonb_array_elements(p_rows) with ordinality as e(sent, ord)
    cross join lateral notify.known_key(
      coalesce(e.sent ->> 'producer', v_producer), e.sent ->> 'idempotency_key') as k
    where v_ids[e.ord] is null;
    get diagnostics v_replayed = row_count;
  end if;
  if v_done + v_replayed <> v_rows or v_rows > 1000 or notify.has_strangers() then
    raise exception using errcode = 'ND003', message = 'somebody else may have a say: ask enqueue()';
  end if;
  if p_lock_wait is not null then
    perform set_config('lock_timeout', v_lock_timeout, true);
  end if;
end
$$;

comment on function notify.enqueue_all(jsonb, interval) is
  'enqueue_all(p_rows, p_lock_wait) -> one row per element';

-- What the code of the release before calls; its rows have no keys.
create or replace function notify.enqueue_all(p_rows jsonb)
returns table (ord bigint, id uuid, created_at timestamptz)
language sql set search_path = pg_catalog, pg_temp as $$
select a.ord, a.id, a.created_at from notify.enqueue_all(p_rows, null::interval) as a order by a.ord
$$;

comment on function notify.enqueue_all(jsonb) is
  'enqueue_all(p_rows) -> one row per element, in their order';
