-- explain_paused(p_row) -> sentences
--
-- Say which pause keeps a queued notification, since when, and by whom.
--
-- Args     p_row notify.notifications, queued
-- Returns  (code, sentence, until, command): code paused. No row: none does
-- Plan     pauses, which is small
-- Caller   explain_queued()
create or replace function notify.explain_paused(p_row notify.notifications)
returns table (code text, sentence text, until timestamptz, command text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
  select 'paused', format('%s is paused since %s, by %s%s. ',
      case p.kind when 'channel' then 'Its channel, ' when 'producer' then 'Its producer, ' else 'Its destination, ' end
        || p.name || ',',
      notify.moment(p.paused_at), p.paused_by, coalesce(': ' || rtrim(p.reason, '. '), ''))
      || case when p.resumed_at is null then 'It waits until somebody resumes it, and loses no attempt by that.'
        else 'It was resumed at ' || notify.moment(p.resumed_at) || ': what has waited comes back bit by bit.' end,
    null::timestamptz, case when p.resumed_at is null then 'notify resume ' || p.id::text end
  from notify.pauses p
  where p.waits_at = p_row.due_at
    or p_row.due_at <= clock_timestamp() and p.resumed_at is null and p.name = case p.kind
      when 'channel' then p_row.channel when 'producer' then p_row.producer
      else case when p.channel = p_row.channel then notify.destination_of(p_row.channel, p_row.recipient) end end
  order by p.id
  limit 1;
end
$$;

comment on function notify.explain_paused(notify.notifications) is 'explain_paused(p_row) -> sentences';
