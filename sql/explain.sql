-- explain(id) -> sentences
--
-- Say in plain sentences why a notification is where it is.
--
-- Args     id uuid
-- Returns  (code, sentence, until, command), most important first: code is a word that stays; until timestamptz, the
--          time that the sentence names, if it names one to come; command, the one that would help, if any does.
--          code not_found: there is none, or it is somebody else's
-- Note     Whoever may read the table sees all, a producer its own. No sentence has a recipient, a payload, or what a
--          receiver wrote, nor anything of another notification but how many are before it
-- Plan     primary key; then explain_queued(), explain_sending() or explain_ended()
-- Caller   ReadStore.explain; producers call it
create or replace function notify.explain(id uuid)
returns table (code text, sentence text, until timestamptz, command text)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_role constant text := notify.speaking_role();
  v_producer constant text := notify.producer_of(v_role);
  v_sees_all constant boolean := has_table_privilege(v_role, 'notify.notifications', 'select');
  v_row notify.notifications;
begin
  select * into v_row from notify.notifications n
  where n.id = explain.id and (v_sees_all or n.producer = v_producer);
  if not found then
    return query select 'not_found', 'There is no such notification: it was never committed, it is somebody else''s,'
      ' or it is older than what is kept.', null::timestamptz, null::text;
    return;
  end if;
  if v_row.status = 'queued' then
    return query select q.code, q.sentence, notify.readable(q.until), q.command from notify.explain_queued(v_row) q;
    return query select * from notify.explain_lock(v_row.id);
  elsif v_row.status = 'sending' then
    return query select s.code, s.sentence, notify.readable(s.until), s.command from notify.explain_sending(v_row) s;
    return query select * from notify.explain_lock(v_row.id);
  else
    return query select * from notify.explain_ended(v_row);
  end if;
  if v_row.is_test then
    return query select 'test', 'It is a test: it is played, and nothing leaves the worker.', null::timestamptz, null::text;
  end if;
  return query select 'enqueued', format('It was enqueued at %s by %s%s.', notify.moment(v_row.created_at),
    coalesce(quote_literal(v_row.producer), 'an unknown producer'),
    coalesce(', in transaction ' || v_row.transaction_id::text, '')), null::timestamptz, null::text;
end
$$;

comment on function notify.explain(uuid) is 'explain(id) -> sentences';
