-- validate(channel, recipient, payload, ...) -> a row if send() would refuse it
--
-- Say what send() would say to the same arguments, and insert nothing.
--
-- Args     as send()
-- Returns  (rule, column_name, hint): the error's constraint, column and hint; rule not_null where a value is
--          missing. No row: send() would accept it, or give the id of the first request
-- Note     It judges by what is committed now: a key that an open transaction holds is free for it. Triggers that
--          are not ours are not asked. Rules in the order in which an INSERT comes to them
-- Caller   the migration 9999 deploys it; producers call it
create or replace function notify.validate(
  channel text, recipient text, payload jsonb, reference text default null, priority integer default 2,
  send_at timestamptz default null, expires_at timestamptz default null, idempotency_key text default null,
  options jsonb default '{}')
returns table (rule text, column_name text, hint text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
  v_now constant timestamptz := clock_timestamp();
  v_producer constant text := notify.producer_of(notify.speaking_role());
  v_unmet text[] := notify.unmet_option(options);
  -- A variable: with a volatile argument unmet_rule() is planned by itself, and the text of any payload is made then.
  v_id constant uuid := notify.new_id();
  v_priority constant smallint := least(greatest(coalesce(priority, 2), -1), 4);
  v_max_attempts integer;
  v_first bigint;
  v_first_id uuid;
begin
  if v_unmet is null then
    v_max_attempts := nullif(options -> 'max_attempts', 'null');
    v_unmet := notify.unmet_rule(v_id, 'queued', 0, true, channel, recipient, payload, v_priority,
      v_max_attempts, reference, send_at, greatest(send_at, v_now), expires_at, v_now, v_producer, idempotency_key);
    if v_unmet is null and channel = 'email' then
      v_unmet := notify.unmet_mail_rule(recipient, payload);
    end if;
    select k.request, k.notification_id into v_first, v_first_id
    from notify.known_key(v_producer, idempotency_key) k;
    if v_first = notify.request_hash(channel, recipient, payload, v_priority, send_at, expires_at,
      v_max_attempts, reference, false) then
      return;
    elsif v_unmet is null and channel = 'email' and v_first = (
      select notify.request_hash(channel, n.recipient, payload, v_priority, send_at, expires_at, v_max_attempts,
        reference, false)
      from notify.notifications n
      where n.id = v_first_id and n.producer = v_producer and notify.folded(n.recipient) = notify.folded(validate.recipient)) then
      return;
    end if;
  end if;
  v_unmet := coalesce(v_unmet, case
    when v_first is not null then array['idempotency_key_reused', 'idempotency_key',
      'Use a new key for a new request; repeat a request with the same key only unchanged.']
    when channel is null then array['not_null', 'channel', 'Use webhook, email or log.']
    when recipient is null then array['not_null', 'recipient', 'Give one recipient of 1 to 2048 characters.']
    when payload is null then array['not_null', 'payload', 'Give a JSON value; the JSON null is one.']
    end);
  return query select v_unmet[1], v_unmet[2], v_unmet[3] where v_unmet is not null;
end
$$;

comment on function notify.validate(text, text, jsonb, text, integer, timestamptz, timestamptz, text, jsonb) is
  'validate(channel, recipient, payload, ...) -> a row if send() would refuse it';
