-- rows_of(p_producer, p_rows) -> one row per element, in their order
--
-- Read a JSON array of notifications as rows of the table, with the defaults of what is left out.
--
-- Args     p_producer text, whose a row is that names no producer; p_rows jsonb, an array of objects with the
--          columns a producer may set, and producer, is_test and traceparent
-- Returns  (ord, ...): ord is the element's place, from 1
-- Note     PostgreSQL writes it into the statement that calls it: no row is copied. The second function is that of
--          functions of before, which know no traceparent: a deploy may go back to them
-- Caller   enqueue_all(), enqueue_keyed(), enqueue()
create or replace function notify.rows_of(p_producer text, p_rows jsonb)
returns table (
  ord bigint, channel text, recipient text, payload jsonb, priority smallint, send_at timestamptz,
  expires_at timestamptz, max_attempts integer, reference text, idempotency_key text, producer text, is_test boolean,
  traceparent text)
language sql stable parallel safe
begin atomic
  select r.ord, r.channel, r.recipient, coalesce(r.payload, 'null'), coalesce(r.priority, 2::smallint), r.send_at,
    r.expires_at, r.max_attempts, r.reference, r.idempotency_key, coalesce(r.producer, p_producer),
    coalesce(r.is_test, false), r.traceparent
  from rows from (jsonb_to_recordset(p_rows) as (
    channel text, recipient text, payload jsonb, priority smallint, send_at timestamptz, expires_at timestamptz,
    max_attempts integer, reference text, idempotency_key text, producer text, is_test boolean,
    traceparent text
  )) with ordinality as r(
    channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference, idempotency_key, producer,
    is_test, traceparent, ord);
end;

comment on function notify.rows_of(text, jsonb) is 'rows_of(p_producer, p_rows) -> one row per element, in their order';

create or replace function notify.rows_of(p_rows jsonb, p_producer text)
returns table (
  ord bigint, channel text, recipient text, payload jsonb, priority smallint, send_at timestamptz,
  expires_at timestamptz, max_attempts integer, reference text, idempotency_key text, producer text, is_test boolean)
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
  select r.ord, r.channel, r.recipient, r.payload, r.priority, r.send_at, r.expires_at, r.max_attempts, r.reference,
    r.idempotency_key, r.producer, r.is_test
  from notify.rows_of(p_producer, p_rows) r;
$$;

comment on function notify.rows_of(jsonb, text) is 'rows_of(p_rows, p_producer) -> as the other, for functions of before';
