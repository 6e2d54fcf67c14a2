-- send(channel, recipient, payload, ...) -> uuid
--
-- Queue one notification, in the caller's transaction, and return its id: what INSERT ... RETURNING id does for a
-- role that may read no table. A repeated idempotency_key gives the first id again.
--
-- Moves    nothing -> queued
-- Args     as the columns of their names, without p_: they are called by name; null is the column's default.
--          options jsonb, an object: what may be said besides, which is max_attempts, traceparent (W3C Trace
--          Context) and notify_on_end, a boolean: see tell_end()
-- Returns  the id; of the first request, if this one repeats it
-- Raises   what accept() and take_key() raise; 23514 options_are_known; ND007: a trigger or rule that is not ours
--          dropped the row
-- Note     It gets no other arguments, ever: a second signature would make calls ambiguous. New ones are options.
--          priority is an integer, because PostgreSQL does not find a smallint for the literal 2
-- Caller   the migration 9999 deploys it; producers call it
create or replace function notify.send(
  channel text, recipient text, payload jsonb, reference text default null, priority integer default 2,
  send_at timestamptz default null, expires_at timestamptz default null, idempotency_key text default null,
  options jsonb default '{}')
returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on as $$
#variable_conflict use_column
declare
  v_id uuid;
  v_new_id constant uuid := notify.new_id();
  v_outer_repeats constant text := current_setting('notify.repeats', true);    -- of the call in whose trigger this one is made
  v_unmet constant text[] := notify.unmet_option(options);
begin
  if v_unmet is not null then
    perform notify.refuse(v_unmet[1], v_unmet[2], v_unmet[3]);
  end if;
  perform set_config('notify.repeats', ',', true);
  insert into notify.notifications
    (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference, idempotency_key,
    traceparent, notify_on_end)
  values (v_new_id, send.channel, send.recipient, send.payload, least(greatest(coalesce(send.priority, 2), -1), 4),
    send.send_at, send.expires_at, nullif(options -> 'max_attempts', 'null')::integer, send.reference, send.idempotency_key,
    options ->> 'traceparent', coalesce((options ->> 'notify_on_end')::boolean, false))
  returning id into v_id;
  if v_id is null and strpos(current_setting('notify.repeats'), v_new_id::text) > 0 then
    v_id := (
      select k.notification_id from notify.known_key(notify.producer_of(notify.speaking_role()), send.idempotency_key) k);
  end if;
  perform set_config('notify.repeats', v_outer_repeats, true);
  if v_id is null then
    raise exception using errcode = 'ND007', message = 'the notification was dropped by a trigger or rule that'
      ' is not the service''s', hint = 'See \d notify.notifications for it.';
  end if;
  return v_id;
end
$$;

comment on function notify.send(text, text, jsonb, text, integer, timestamptz, timestamptz, text, jsonb) is
  'send(channel, recipient, payload, ...) -> uuid';
