-- accept() -> trigger, before each inserted row
--
-- Check what a producer said, set our own times, and turn send_at into the first due_at.
--
-- Raises   check_violation with a named constraint, the column, and a hint that says what to write
-- Note     The rules are checked here and not by CHECK, because CHECKs run again on every claim and settle
--          (4 microseconds a row, three times). Only what a transition must keep true is a CHECK.
--          It runs with the producer's search_path, which may be hostile. So it qualifies every function,
--          operator and type with pg_catalog or notify, and leaves the work to unmet_rule(), whose names are
--          bound when it is created.
-- Caller   trigger accept on notifications
create or replace function notify.accept() returns trigger
language plpgsql as $$
declare
  v_unmet pg_catalog.text[];
begin
  new.created_at := pg_catalog.clock_timestamp();
  new.due_at := greatest(new.send_at, new.created_at);
  v_unmet := notify.unmet_rule(new.id, new.status, new.attempt,
    new.lease_until is null and new.claimed_by is null and new.settled_at is null
      and new.first_claimed_at is null and new.last_error is null and new.last_error_code is null,
    new.channel, new.recipient, new.payload, new.priority, new.max_attempts, new.reference,
    new.send_at, new.due_at, new.expires_at, new.created_at);
  if v_unmet is null and new.channel operator(pg_catalog.=) 'email' then
    v_unmet := notify.unmet_mail_rule(new.recipient, new.payload);
  end if;
  if v_unmet is not null then
    perform notify.refuse(v_unmet[1], v_unmet[2], v_unmet[3]);
  end if;
  return new;
end
$$;

comment on function notify.accept() is 'accept() -> trigger, before each inserted row';
