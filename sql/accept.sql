-- accept() -> trigger, before each inserted row
--
-- Check what a producer said, say who it is, set our own times, and turn send_at into the first due_at.
--
-- Raises   check_violation with a named constraint, the column, and a hint that says what to write
-- Note     The rules are checked here and not by CHECK, because CHECKs run again on every claim and settle
--          (4 microseconds a row, three times). Only what a transition must keep true is a CHECK.
--          A row belongs to the producer of the role that speaks (see producer_of). Only a role that may
--          update the API's keys, as the API does, may name another. If such a role inserts for the one that
--          speaks, by a function with its owner's rights, the row comes by the trigger "+accept", which has an
--          argument.
--          traceparent is what the row says, or the setting notify.traceparent; one that is none is left out, as
--          W3C Trace Context asks for.
--          A refused row that repeats a request, by its idempotency key, is dropped without an error: it was
--          accepted when it came first, before its expires_at had passed or the rules had become stricter. Its id is added to notify.repeats, as take_key() does.
--          It runs with its owner's rights, so that it may look who the producer is, and with the producer's
--          search_path, which may be hostile. So it qualifies every function, operator and type with pg_catalog
--          or notify, and leaves the work to unmet_rule(), whose names are bound when it is created.
-- Caller   trigger accept on notifications, or "+accept": a row comes by one of them
create or replace function notify.accept() returns trigger
language plpgsql security definer as $$
declare
  v_unmet pg_catalog.text[];
  v_role pg_catalog.text := pg_catalog.current_setting('role');
begin
  if v_role operator(pg_catalog.=) 'none' then
    v_role := session_user;
  end if;
  if tg_nargs operator(pg_catalog.=) 0 and (new.producer is null
    or not pg_catalog.has_table_privilege(v_role, 'notify.api_keys'::pg_catalog.regclass, 'update')) then
    new.producer := notify.producer_of(v_role);
  end if;
  new.transaction_id := pg_catalog.pg_current_xact_id();
  new.traceparent := pg_catalog.substring(
    coalesce(new.traceparent, pg_catalog.current_setting('notify.traceparent', true)),
    '^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$');
  new.created_at := pg_catalog.clock_timestamp();
  new.due_at := greatest(new.send_at, new.created_at);
  v_unmet := notify.unmet_rule(new.id, new.status, new.attempt,
    new.lease_until is null and new.claimed_by is null and new.settled_at is null
      and new.first_claimed_at is null and new.last_error is null and new.last_error_code is null
      and new.emptied_at is null,
    new.channel, new.recipient, new.payload, new.priority, new.max_attempts, new.reference,
    new.send_at, new.due_at, new.expires_at, new.created_at, new.producer, new.idempotency_key);
  if v_unmet is null and new.channel operator(pg_catalog.=) 'email' then
    v_unmet := notify.unmet_mail_rule(new.recipient, new.payload);
  end if;
  if v_unmet is not null then
    if new.idempotency_key is not null and exists (
      select from notify.known_key(new.producer, new.idempotency_key) k
      where k.request operator(pg_catalog.=) notify.request_hash(new.channel, new.recipient, new.payload,
        new.priority, new.send_at, new.expires_at, new.max_attempts, new.reference, new.is_test)) then
      if pg_catalog.current_setting('notify.repeats', true) operator(pg_catalog.<>) '' then
        perform pg_catalog.set_config('notify.repeats',
          pg_catalog.concat(pg_catalog.current_setting('notify.repeats'), new.id, ','), true);
      end if;
      return null;
    end if;
    perform notify.refuse(v_unmet[1], v_unmet[2], v_unmet[3]);
  end if;
  return new;
end
$$;

comment on function notify.accept() is 'accept() -> trigger, before each inserted row';
