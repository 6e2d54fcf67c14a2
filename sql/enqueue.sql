-- enqueue(p_rows, p_within) -> one row per element that is inserted or refused
--
-- Insert what enqueue_all() could not insert as one statement: a fault of one element, or somebody's own
-- trigger, stops that element alone.
--
-- Moves    nothing -> queued
-- Args     p_rows jsonb, an array of objects with the columns a producer may set; at most 1000;
--          p_within interval: elements that are not tried within it are refused as ND002
-- Returns  (ord, id, created_at, refusal); ord is the element's place, from 1. refusal is null, or an object
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
--          Deferred constraints are checked at once, so that none can refuse the commit, which all elements
--          share: call it alone in its transaction. Triggers run with our search_path.
-- Caller   ApiStore.enqueue, when enqueue_all() failed
create or replace function notify.enqueue(p_rows jsonb, p_within interval)
returns table (ord bigint, id uuid, created_at timestamptz, refusal jsonb)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_until timestamptz := clock_timestamp() + p_within;
  v_rows integer := jsonb_array_length(p_rows);
  v_place integer := 0;                       -- how many are done with
  v_size integer;                             -- how many are tried at once
  v_began timestamptz;
  v_part jsonb := p_rows;
  v_ids uuid[];
  v_inserted uuid[];
  v_times timestamptz[];
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
  set constraints all immediate;
  v_size := case when v_has_strangers then least(v_rows, 4) else greatest(v_rows / 10, 1) end;
  while v_place < v_rows loop
    if v_place > 0 or v_size < v_rows then
      if clock_timestamp() >= v_until then
        return query
        select o, null::uuid, null::timestamptz, '{"code": "ND002", "message": "not tried in time"}'::jsonb
        from generate_series(v_place + 1::bigint, v_rows) o;
        return;
      end if;
      v_size := least(v_size, v_rows - v_place);
      v_part := (select jsonb_agg(p_rows -> i order by i)
                 from generate_series(v_place, v_place + v_size - 1) i);
    end if;
    v_began := clock_timestamp();
    begin
      if v_size = 1 then                        -- no WITH: it cannot be used where somebody made a rule
        insert into notify.notifications
          (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference)
        select notify.new_id(), r.channel, r.recipient, coalesce(r.payload, 'null'),
          coalesce(r.priority, 2), r.send_at, r.expires_at, r.max_attempts, r.reference
        from jsonb_to_recordset(v_part) as r(
          channel text, recipient text, payload jsonb, priority smallint, send_at timestamptz,
          expires_at timestamptz, max_attempts integer, reference text)
        returning notifications.id, notifications.created_at into id, created_at;
        if v_has_strangers and id is not null and not exists (
          select from notify.notifications n where n.id = enqueue.id) then
          raise exception 'a trigger took the notification away';
        end if;
        if id is not null then
          ord := v_place + 1;
          return next;
        end if;
      else
        with input as materialized (
          select notify.new_id() as id, r.*
          from jsonb_to_recordset(v_part) as r(
            channel text, recipient text, payload jsonb, priority smallint, send_at timestamptz,
            expires_at timestamptz, max_attempts integer, reference text)
        ),
        queued as (
          insert into notify.notifications
            (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference)
          select i.id, i.channel, i.recipient, coalesce(i.payload, 'null'), coalesce(i.priority, 2),
            i.send_at, i.expires_at, i.max_attempts, i.reference
          from input i
          returning notifications.id, notifications.created_at
        )
        select array(select i.id from input i), array_agg(q.id), array_agg(q.created_at)
        into v_ids, v_inserted, v_times
        from queued q;
        if v_inserted is distinct from v_ids or (v_has_strangers and v_size > (
          select count(*) from notify.notifications n where n.id = any (v_ids))) then
          raise exception 'what came back is not what was given';
        end if;
        return query
        select v_place + i.ord, i.id, i.created_at, null::jsonb
        from unnest(v_inserted, v_times) with ordinality as i(id, created_at, ord);
      end if;
      v_place := v_place + v_size;
      v_size := case when clock_timestamp() - v_began > interval '0.25 s' then greatest(v_size / 2, 1)
        else least(v_size * 2, 64) end;
    exception when assert_failure or others then
      get stacked diagnostics v_message = message_text, v_constraint = constraint_name,
        v_column = column_name, v_hint = pg_exception_hint, v_context = pg_exception_context;
      if sqlstate = '25006' then
        raise;
      elsif v_size > 1 then
        v_size := greatest(v_size / 10, 1);
      else
        return query
        select v_place + 1::bigint, null::uuid, null::timestamptz, jsonb_build_object('code', sqlstate,
          'message', case when sqlstate like '42%' then notify.culprit(v_message, v_context)
            else left(v_message, 1000) end, 'constraint', v_constraint, 'column', v_column,
          'hint', left(v_hint, 1000));
        v_place := v_place + 1;
      end if;
    end;
  end loop;
end
$$;

comment on function notify.enqueue(jsonb, interval) is
  'enqueue(p_rows, p_within) -> one row per element that is inserted or refused';
