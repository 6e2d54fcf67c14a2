-- send_many(notifications) -> one id per element, in their order
--
-- Queue up to 1000 notifications as one statement, in the caller's transaction: all of them, or none.
--
-- Moves    nothing -> queued
-- Args     notifications jsonb, an array of objects with channel, recipient, payload and, as send() has them,
--          reference, priority, send_at, expires_at, idempotency_key, max_attempts, traceparent and notify_on_end;
--          null is the column's default
-- Returns  the ids; where an element repeats a request, also one of the same array, that of the first
-- Raises   what send() raises; 23514 notifications_are_known: no array of at most 1000 objects, or one has a member
--          of another name or kind; the hint names it
-- Locks    the idempotency keys in one order, so that two calls with the same keys cannot deadlock
-- Caller   the migration 9999 deploys it; producers call it
create or replace function notify.send_many(notifications jsonb)
returns setof uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on as $$
#variable_conflict use_column
declare
  v_producer text := notify.producer_of(notify.speaking_role());
  v_stranger text := notify.odd_member(notifications);
  v_ids uuid[];                               -- by place
  v_inserted uuid[];
  v_repeats uuid[];
  v_outer_repeats constant text := current_setting('notify.repeats', true);    -- of the call in whose trigger this one is made
begin
  if v_stranger is not null then
    perform notify.refuse('notifications_are_known', 'notifications', v_stranger);
  end if;
  v_ids := array(select notify.new_id() from generate_series(1, jsonb_array_length(notifications)));
  perform set_config('notify.repeats', ',', true);
  with queued as (
    insert into notify.notifications
      (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference, idempotency_key,
      traceparent, notify_on_end)
    select v_ids[e.ord], s ->> 'channel', s ->> 'recipient', s -> 'payload',
      least(greatest(coalesce((s ->> 'priority')::numeric, 2), -1), 4), (s ->> 'send_at')::timestamptz,
      (s ->> 'expires_at')::timestamptz,
      case when s ->> 'max_attempts' is not null then least(greatest((s ->> 'max_attempts')::numeric, 0), 101) end,
      s ->> 'reference', s ->> 'idempotency_key', s ->> 'traceparent',
      coalesce((s ->> 'notify_on_end')::boolean, false)
    from jsonb_array_elements(notifications) with ordinality as e(s, ord)
    order by s ->> 'idempotency_key' collate "C" nulls first, e.ord
    returning id
  )
  select array_agg(q.id) into v_inserted from queued q;
  v_repeats := string_to_array(btrim(current_setting('notify.repeats'), ','), ',');
  perform set_config('notify.repeats', v_outer_repeats, true);
  if cardinality(v_inserted) is distinct from cardinality(v_ids) then
    v_ids := array(
      select case when v_ids[e.ord] = any (v_inserted) then v_ids[e.ord] else (
        select k.notification_id from notify.known_key(v_producer, e.s ->> 'idempotency_key') k
        where v_ids[e.ord] = any (v_repeats)) end
      from jsonb_array_elements(notifications) with ordinality as e(s, ord)
      order by e.ord);
  end if;
  if array_position(v_ids, null) is not null or not coalesce(v_inserted, '{}') <@ v_ids then
    raise exception using errcode = 'ND007', message = 'a notification was dropped or changed by a trigger or rule'
      ' that is not the service''s', hint = 'See \d notify.notifications for it.';
  end if;
  return query select unnest(v_ids);
end
$$;

comment on function notify.send_many(jsonb) is 'send_many(notifications) -> one id per element, in their order';
