-- enqueue_all(p_rows) -> one row per element, in their order
--
-- Insert many notifications as one statement: the requests of the same few milliseconds share a commit.
--
-- Moves    nothing -> queued
-- Args     p_rows jsonb, an array of objects with the columns a producer may set, and producer, is_test and
--          traceparent;
--          at most 1000. Those that have idempotency keys are dearer here than in enqueue_keyed()
-- Returns  (ord, id, created_at); ord is the element's place, from 1
-- Raises   what any of the rows raises; ND003: not every row came back as it was sent, or there are triggers
--          or rules that are not ours. Then no row is inserted, and the caller calls enqueue(), which takes the
--          rows apart
-- Note     It opens no subtransaction, and calls has_strangers() only once: both would cost every call
-- Caller   EnqueueStore.enqueue
create or replace function notify.enqueue_all(p_rows jsonb)
returns table (ord bigint, id uuid, created_at timestamptz)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_producer text := notify.producer_of(notify.speaking_role());
  v_inserted integer;
begin
  return query
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
    returning notifications.id, notifications.created_at
  )
  select i.ord, i.id, q.created_at from input i join queued q using (id) order by i.ord;
  get diagnostics v_inserted = row_count;
  if v_inserted <> jsonb_array_length(p_rows) or v_inserted > 1000 or notify.has_strangers() then
    raise exception using errcode = 'ND003', message = 'somebody else may have a say: ask enqueue()';
  end if;
end
$$;

comment on function notify.enqueue_all(jsonb) is
  'enqueue_all(p_rows) -> one row per element, in their order';
