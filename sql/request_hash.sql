-- request_hash(p_channel, p_recipient, ...) -> bigint
--
-- Hash what a producer asked for, so that a repetition can be told from another request with the same key.
--
-- Args     the columns as a producer set them, but for id, producer and idempotency_key
-- Returns  64 bits. A jsonb is hashed by its value: neither the order of its members nor how a number is written
--          makes a difference
-- Note     It is one expression, which PostgreSQL inlines into take_key()
-- Caller   take_key(), accept(), enqueue_keyed(), validate()
create or replace function notify.request_hash(
  p_channel text, p_recipient text, p_payload jsonb, p_priority smallint, p_send_at timestamptz,
  p_expires_at timestamptz, p_max_attempts integer, p_reference text, p_is_test boolean)
returns bigint
language sql immutable parallel safe
return hash_record_extended(row(p_channel, p_recipient, p_payload, p_priority, p_send_at, p_expires_at,
  p_max_attempts, p_reference, p_is_test), 0);

comment on function notify.request_hash(text, text, jsonb, smallint, timestamptz, timestamptz, integer, text,
  boolean) is 'request_hash(p_channel, p_recipient, ...) -> bigint';
