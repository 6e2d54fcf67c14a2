-- enqueue(p_rows, p_within, p_lock_wait) -> one row per element that is accepted or refused
--
-- Insert what enqueue_all() or enqueue_keyed() could not insert as one statement: a fault of one element, or somebody's own
-- trigger, stops that element alone.
--
-- Moves    nothing -> queued
-- Args     p_rows jsonb, an array of objects with the columns a producer may set, and producer, is_test and
--          traceparent;
--          at most 1000; p_within interval: elements that are not tried within it are refused as ND002;
--          p_lock_wait interval: how long one element waits for an idempotency key that an open transaction
--          holds (null: for as long as lock_timeout says); then it is refused as ND006. A lock of another kind is
--          waited for within p_within
-- Returns  (ord, id, created_at, replayed, refusal); ord is the element's place, from 1. replayed: the same
--          request was here before; id and created_at are the first one's. refusal is null, or an object
--          with code (SQLSTATE), message (with the function in which it was raised), constraint, column and
--          hint. No row for an element: a trigger or rule that is not ours dropped it without an error.
-- Raises   ND001: more than 1000 rows; 25006: the server is read-only; 57014: see Note
-- Note     It tries a tenth of the elements as one INSERT. That stands only if each row came back in its place
--          with the id that it was sent with and, if there are triggers or rules that are not ours, is still
--          there. Else it is undone and fewer are tried at once, down to one by one; after a success, more
--          again. The first refused row of 500 costs some 15 ms; if every second one is refused, they cost 100 ms.
--          Triggers that are not ours may also be slow: with them it begins with four elements, so that p_within
--          can end between two parts, and the elements before it stay inserted.
--          Every SQLSTATE counts as the row's fault, even a deadlock: a trigger may raise any. Only
--          query_canceled is raised again: it is how statement_timeout ends a trigger that is too slow.
--          Elements are tried in the order of their keys, those without first: batches with the same keys
--          cannot deadlock, and who has no key waits for none.
--          Deferred constraints are checked at once, so that none can refuse the commit, which all elements
--          share: call it alone in its transaction. Triggers run with our search_path.
-- Caller   EnqueueStore.enqueue, when enqueue_all() or enqueue_keyed() failed
create or replace function notify.enqueue(p_rows jsonb, p_within interval, p_lock_wait interval)
returns table (ord bigint, id uuid, created_at timestamptz, replayed boolean, refusal jsonb)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_until timestamptz := clock_timestamp() + p_within;
  v_producer text := notify.producer_of(notify.speaking_role());
  v_rows integer := jsonb_array_length(p_rows);
  v_order bigint[];                           -- the places of the elements, in the order in which they are tried
  v_place integer := 0;                       -- how many are done with
  v_size integer;                             -- how many are tried at once
  v_began timestamptz;
  v_part jsonb;
  v_ids uuid[];
  v_inserted uuid[];
  v_times timestamptz[];
  v_repeats uuid[];
  v_outer_repeats constant text := current_setting('notify.repeats', true);    -- of the call in whose trigger this one is made
  v_replays integer[];
  v_firsts uuid[];
  v_first_times timestamptz[];
  v_lock_timeout text := current_setting('lock_timeout');
  v_waits_for_key boolean;
  v_is_patient boolean := false;              -- somebody has locked more than a key
  v_message text;
  v_constraint text;
  v_column text;
  v_hint text;
  v_context text;
  v_has_strangers boolean := notify.has_strangers();
begin
  if v_rows > 1000 then
    raise exception 'enqueue takes at most 1000 rows, not %', v_rows
      using errcode = 'ND001', hint = 'Call it once for each 1000.';
  end if;
  perform set_config('notify.keys', '', true);      -- the trigger takes the keys, whatever the role has set
  set constraints all immediate;
  v_order := array(
    select e.ord from jsonb_array_elements(p_rows) with ordinality as e(sent, ord)
    order by e.sent ->> 'idempotency_key' collate "C" nulls first, e.sent ->> 'producer' collate "C", e.ord);
  v_size := case when v_has_strangers then least(v_rows, 4) else greatest(v_rows / 10, 1) end;
  while v_place < v_rows loop
    if (v_place > 0 or v_size < v_rows) and clock_timestamp() >= v_until then
      return query
      select o, null::uuid, null::timestamptz, false, '{"code": "ND002", "message": "not tried in time"}'::jsonb
      from unnest(v_order[v_place + 1:]) o;
      return;
    end if;
    v_size := least(v_size, v_rows - v_place);
    v_part := (select jsonb_agg(p_rows -> (v_order[i] - 1)::integer order by i)
               from generate_series(v_place + 1, v_place + v_size) i);
    v_waits_for_key := p_lock_wait is not null and v_part -> -1 ->> 'idempotency_key' is not null;
    perform set_config('lock_timeout', case when v_waits_for_key then (extract(epoch from
      case when v_is_patient then greatest(v_until - clock_timestamp(), interval '1 ms') else p_lock_wait end
      ) * 1000)::integer::text else v_lock_timeout end, true);
    v_ids := array(select notify.new_id() from generate_series(1, v_size));
    v_began := clock_timestamp();
    begin
      perform set_config('notify.repeats', ',', true);
      if v_size = 1 then                        -- no WITH: it cannot be used where somebody made a rule
        insert into notify.notifications
          (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference,
           idempotency_key, producer, is_test, traceparent)
        select v_ids[1], r.channel, r.recipient, r.payload, r.priority, r.send_at, r.expires_at, r.max_attempts,
          r.reference, r.idempotency_key, r.producer, r.is_test, r.traceparent
        from notify.rows_of(v_producer, v_part) r
        returning array[notifications.id], array[notifications.created_at] into v_inserted, v_times;
        if v_has_strangers and v_inserted is not null and not exists (
          select from notify.notifications n where n.id = v_inserted[1]) then
          raise exception 'a trigger took the notification away';
        end if;
      else
        with queued as (
          insert into notify.notifications
            (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference,
             idempotency_key, producer, is_test, traceparent)
          select v_ids[r.ord], r.channel, r.recipient, r.payload, r.priority, r.send_at, r.expires_at, r.max_attempts,
            r.reference, r.idempotency_key, r.producer, r.is_test, r.traceparent
          from notify.rows_of(v_producer, v_part) r
          returning notifications.id, notifications.created_at
        )
        select array_agg(q.id), array_agg(q.created_at) into v_inserted, v_times from queued q;
      end if;
      -- What take_key() dropped was here before, or earlier in this part.
      v_repeats := string_to_array(btrim(current_setting('notify.repeats'), ','), ',');
      perform set_config('notify.repeats', v_outer_repeats, true);
      select array_agg(e.n), array_agg(k.notification_id), array_agg(k.created_at)
      into v_replays, v_firsts, v_first_times
      from jsonb_array_elements(v_part) with ordinality as e(sent, n)
      cross join lateral notify.known_key(
        coalesce(e.sent ->> 'producer', v_producer), e.sent ->> 'idempotency_key') as k
      where v_ids[e.n] = any (v_repeats);
      if v_size > 1 and (
        v_inserted is distinct from (
          select array_agg(i.id order by i.n) from unnest(v_ids) with ordinality as i(id, n)
          where i.n <> all (coalesce(v_replays, '{}')))
        or v_has_strangers and cardinality(v_inserted) > (
          select count(*) from notify.notifications n where n.id = any (v_ids))) then
        raise exception 'what came back is not what was given';
      end if;
      return query
      select v_order[v_place + i.n], i.id, i.created_at, false, null::jsonb
      from unnest(v_inserted, v_times,
        array(select n from generate_series(1, v_size) n where n <> all (coalesce(v_replays, '{}')) order by n)
      ) as i(id, created_at, n)
      where i.id is not null
      union all
      select v_order[v_place + r.n], r.id, r.created_at, true, null
      from unnest(v_firsts, v_first_times, v_replays) as r(id, created_at, n);
      v_place := v_place + v_size;
      v_is_patient := false;
      v_size := case when clock_timestamp() - v_began > interval '0.25 s' then greatest(v_size / 2, 1)
        else least(v_size * 2, 64) end;
    exception when assert_failure or others then
      get stacked diagnostics v_message = message_text, v_constraint = constraint_name,
        v_column = column_name, v_hint = pg_exception_hint, v_context = pg_exception_context;
      v_is_patient := sqlstate = '55P03' and v_waits_for_key and not v_is_patient
        and strpos(v_context, 'notify.take_key()') = 0;
      if sqlstate = '25006' then
        raise;
      elsif v_is_patient then
        null;                                 -- the same again
      elsif v_size > 1 then
        v_size := greatest(v_size / 10, 1);
      else
        return query
        select v_order[v_place + 1], null::uuid, null::timestamptz, false, jsonb_build_object(
          'code', case when sqlstate = '55P03' and v_waits_for_key and strpos(v_context, 'notify.take_key()') > 0
            then 'ND006' else sqlstate end,
          'message', case when sqlstate like '42%' then notify.culprit(v_message, v_context)
            else left(v_message, 1000) end, 'constraint', v_constraint, 'column', v_column,
          'hint', left(v_hint, 1000));
        v_place := v_place + 1;
      end if;
    end;
  end loop;
end
$$;

comment on function notify.enqueue(jsonb, interval, interval) is
  'enqueue(p_rows, p_within, p_lock_wait) -> one row per element that is accepted or refused';

-- What the code of the release before calls; its rows have no keys.
create or replace function notify.enqueue(p_rows jsonb, p_within interval)
returns table (ord bigint, id uuid, created_at timestamptz, refusal jsonb)
language sql set search_path = pg_catalog, pg_temp as $$
select e.ord, e.id, e.created_at, e.refusal from notify.enqueue(p_rows, p_within, null) as e
$$;

comment on function notify.enqueue(jsonb, interval) is
  'enqueue(p_rows, p_within) -> one row per element that is inserted or refused';
