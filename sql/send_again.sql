-- send_again(p_id) -> one row
--
-- Enqueue a copy of a notification that has ended: the same to the same recipient, as something new.
--
-- Moves    nothing -> queued
-- Args     p_id uuid, the origin
-- Returns  (id, created_at, state): the copy, if state is 'sent_again'; else null, and what is in the way: 'queued'
--          or 'sending', the origin has not ended; 'emptied', its payload is gone; 'dropped', a trigger that is not
--          ours dropped the copy, or the origin was moved meanwhile. No row: there is no such notification
-- Raises   what the INSERT raises: rules may have become stricter since the origin was accepted
-- Note     Channel, recipient, payload, priority, reference, producer, whether it is a test, and the trace are the
--          origin's. It is due now, does not expire, has no idempotency key, and as many attempts as one whose
--          producer names none. An origin without a producer makes a copy of whoever calls
-- Plan     primary key
-- Caller   VerbStore.send_again
create or replace function notify.send_again(p_id uuid)
returns table (id uuid, created_at timestamptz, state text)
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set jit = off set max_parallel_workers_per_gather = 0 as $$
#variable_conflict use_column
begin
  select case when n.settled_at is null then n.status::text when n.emptied_at is not null then 'emptied'
      else 'sent_again' end
  into state
  from notify.notifications n where n.id = p_id;
  if not found then
    return;
  end if;
  if state = 'sent_again' then
    set constraints all immediate;
    insert into notify.notifications
      (channel, recipient, payload, priority, reference, producer, is_test, traceparent, repeats)
    select n.channel, n.recipient, n.payload, n.priority, n.reference, n.producer, n.is_test, n.traceparent, n.id
    from notify.notifications n
    where n.id = p_id and n.settled_at is not null and n.emptied_at is null
    returning notifications.id, notifications.created_at into id, created_at;
    state := case when id is null then 'dropped' else state end;
  end if;
  return next;
end
$$;

comment on function notify.send_again(uuid) is 'send_again(p_id) -> one row';
