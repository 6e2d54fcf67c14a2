-- accept() -> trigger, before each inserted row
--
-- Check what a producer said, set our own times, and turn send_at into the first due_at.
--
-- Raises   check_violation with a named constraint, the column, and a hint that says what to write
-- Note     Checked here and not by CHECK, because CHECKs run again on every claim and settle
--          (4 microseconds a row, three times); what a transition must keep true is CHECKed always.
--          Times are bounded: one row at 'infinity' would make claim() or due() fail for all.
-- Caller   trigger accept on notifications
create or replace function notify.accept() returns trigger
language plpgsql as $$
begin
  if get_byte(uuid_send(new.id), 6) >> 4 <> 7 then
    perform notify.refuse('id_is_a_uuid_v7', 'id', 'Leave id to its default.');
  end if;
  if new.status <> 'queued' or new.attempt <> 0 then
    perform notify.refuse('new_notifications_are_queued', 'status',
      'Leave status and attempt to their defaults: the service moves them.');
  end if;
  if new.channel not in ('webhook', 'email', 'log') then
    perform notify.refuse('channel_is_known', 'channel', 'Use webhook, email or log.');
  end if;
  if length(new.recipient) not between 1 and 2048 or new.recipient ~ '[[:cntrl:]]' then
    perform notify.refuse('recipient_is_1_to_2048_printable_characters', 'recipient',
      'Give one recipient of 1 to 2048 characters, without control characters.');
  end if;
  if new.channel = 'webhook' then
    if new.recipient !~* '^https?://[^/?#[:space:]]+[^[:space:]]*$' then
      perform notify.refuse('webhook_recipient_is_a_url', 'recipient',
        'Give an absolute http:// or https:// URL without spaces.');
    end if;
  elsif new.channel = 'email' then
    if new.recipient !~ '^[^@[:space:],;<>]+@[^@[:space:],;<>]+$' then
      perform notify.refuse('email_recipient_is_one_mailbox', 'recipient',
        'Give one address as name@domain, without a display name.');
    end if;
    if jsonb_typeof(new.payload) <> 'object'
      or coalesce(jsonb_typeof(new.payload -> 'subject'), '') <> 'string'
      or 'string' not in (coalesce(jsonb_typeof(new.payload -> 'text'), ''),
                          coalesce(jsonb_typeof(new.payload -> 'html'), '')) then
      perform notify.refuse('email_payload_has_subject_and_body', 'payload',
        'Give an object with the strings subject and text, or subject and html, or all three.');
    end if;
  end if;
  if octet_length(new.payload::text) > 262144 then
    perform notify.refuse('payload_is_at_most_256_kib', 'payload',
      'Keep the payload under 262144 bytes as text: send a link to what is larger.');
  end if;
  if new.priority not between 0 and 3 then
    perform notify.refuse('priority_is_0_to_3', 'priority',
      'Use 0 (urgent), 1, 2 (the default) or 3 (bulk).');
  end if;
  if new.max_attempts not between 1 and 100 then
    perform notify.refuse('max_attempts_is_1_to_100', 'max_attempts',
      'Use 1 to 100, or leave it out for the service''s default.');
  end if;
  if length(new.reference) not between 1 and 255 then
    perform notify.refuse('reference_is_1_to_255_characters', 'reference',
      'Use 1 to 255 characters, or leave it out.');
  end if;
  new.created_at := clock_timestamp();
  new.due_at := greatest(new.send_at, new.created_at);
  if new.send_at not between new.created_at - interval '1 year' and new.created_at + interval '1 year' then
    perform notify.refuse('send_at_is_within_a_year', 'send_at', 'Use a time within a year.');
  end if;
  if new.expires_at <= new.due_at then
    perform notify.refuse('expires_at_is_after_send_at', 'expires_at',
      'Use a time in the future, after send_at.');
  end if;
  if new.expires_at > new.created_at + interval '10 years' then
    perform notify.refuse('expires_at_is_within_10_years', 'expires_at',
      'Use a time within ten years, or leave it out.');
  end if;
  return new;
end
$$;

comment on function notify.accept() is 'accept() -> trigger, before each inserted row';
