-- unmet_rule(p_id, p_status, ...) -> {rule, column, hint}
--
-- Name the first rule that a new row breaks. Lengths come before content: the content of a text or payload that
-- is too long is never read.
--
-- Args     the columns as a producer set them; p_is_ours_alone: the columns that only we set were left alone;
--          p_now timestamptz, when the row came
-- Returns  text[]; null: none so far (a mail has more: unmet_mail_rule)
-- Note     The names in its body, and in every function that it calls, are bound when it is created: a producer's
--          search_path and standard_conforming_strings change nothing. It is one expression, which PostgreSQL
--          inlines into accept(). SET search_path would cost each row 1.5 microseconds on PostgreSQL 15.
--          A producer may choose the id. It must be within a day of the clock, because it names the partition.
--          Times are bounded, because one row at 'infinity' would make claim() or due() fail for all.
-- Caller   accept(), validate(), keep_watch()
create or replace function notify.unmet_rule(
  p_id uuid, p_status text, p_attempt integer, p_is_ours_alone boolean, p_channel text,
  p_recipient text, p_payload jsonb, p_priority smallint, p_max_attempts integer, p_reference text,
  p_send_at timestamptz, p_due_at timestamptz, p_expires_at timestamptz, p_now timestamptz,
  p_producer text, p_idempotency_key text)
returns text[]
language sql stable parallel safe
return case
  when get_byte(uuid_send(p_id), 6) >> 4 <> 7 or get_byte(uuid_send(p_id), 8) >> 6 <> 2 then
    array['id_is_a_uuid_v7', 'id', 'Leave id to its default, or give a UUID of version 7.']
  when substring(uuid_send(p_id) from 1 for 6) not between
    substring(int8send((date_part('epoch', p_now) * 1000)::bigint - 86400000) from 3)
    and substring(int8send((date_part('epoch', p_now) * 1000)::bigint + 86400000) from 3) then
    array['id_is_of_today', 'id',
      'Leave id to its default, or give a UUID of version 7 made within a day of now.']
  when p_status <> 'queued' or p_attempt <> 0 or not p_is_ours_alone then
    array['new_notifications_are_queued', 'status',
      'Leave status, attempt, lease_until, claimed_by, settled_at, last_error and last_error_code to '
      'their defaults: the service sets them.']
  when p_channel not in ('webhook', 'email', 'log') then
    array['channel_is_known', 'channel', 'Use webhook, email or log.']
  when octet_length(p_recipient) > 8192 or length(p_recipient) not between 1 and 2048
    or p_recipient ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' then
    array['recipient_is_1_to_2048_printable_characters', 'recipient',
      'Give one recipient of 1 to 2048 characters, without control characters.']
  when p_priority not between 0 and 3 then
    array['priority_is_0_to_3', 'priority', 'Use 0 (urgent), 1, 2 (the default) or 3 (bulk).']
  when p_max_attempts not between 1 and 100 then
    array['max_attempts_is_1_to_100', 'max_attempts',
      'Use 1 to 100, or leave it out for the service''s default.']
  when octet_length(p_reference) > 1020 or length(p_reference) not between 1 and 255 then
    array['reference_is_1_to_255_characters', 'reference',
      'Use 1 to 255 characters, or leave it out.']
  when p_reference ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' then
    array['reference_is_printable', 'reference', 'Leave out control characters.']
  when octet_length(p_producer) > 1020 or length(p_producer) not between 1 and 255
    or p_producer ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' then
    array['producer_is_1_to_255_printable_characters', 'producer',
      'Leave it out: it is that of the role, or of the API''s key.']
  when octet_length(p_idempotency_key) > 1020 or length(p_idempotency_key) not between 1 and 255
    or p_idempotency_key ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' then
    array['idempotency_key_is_1_to_255_printable_characters', 'idempotency_key',
      'Use 1 to 255 characters, without control characters, or leave it out.']
  when p_send_at not between p_now - interval '1 year' and p_now + interval '1 year' then
    array['send_at_is_within_a_year', 'send_at', 'Use a time within a year.']
  when p_expires_at <= p_due_at then
    array['expires_at_is_after_send_at', 'expires_at', 'Use a time in the future, after send_at.']
  when p_expires_at > p_now + interval '10 years' then
    array['expires_at_is_within_10_years', 'expires_at',
      'Use a time within ten years, or leave it out.']
  -- The text of a few KB of jsonb can be a gigabyte: see is_too_long(). Compressed, they are a 300th at least.
  when pg_column_size(p_payload) > 100 and pg_column_size(jsonb_path_query_first(p_payload, '$')) > 32768
      and notify.is_too_long(p_payload)
    or octet_length(p_payload::text) > 262144 then
    array['payload_is_at_most_256_kib', 'payload',
      'Keep the payload under 262144 bytes as text: send a link to what is larger.']
  when p_channel = 'webhook' and not notify.is_http_url(p_recipient) then
    array['webhook_recipient_is_a_url', 'recipient',
      'Give an absolute http:// or https:// URL without spaces; beyond ASCII, write the host as xn--... '
      'and the rest percent-encoded.']
  end;

comment on function notify.unmet_rule(uuid, text, integer, boolean, text, text, jsonb, smallint, integer,
  text, timestamptz, timestamptz, timestamptz, timestamptz, text, text) is
  'unmet_rule(p_id, p_status, ...) -> {rule, column, hint}';
