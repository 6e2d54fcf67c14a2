-- explain_parked(p_row) -> sentences
--
-- Say why workers keep back what goes to the destination of a notification.
--
-- Args     p_row notify.notifications
-- Returns  (code, sentence, until, command): code destination_parked; until null: it may be tried at any time; command:
--          how to have it tried at once, where a probe could end it
-- Note     Only what living workers say, and only of the row's own destination
-- Plan     workers and destination_state, which are small
-- Caller   explain_queued()
create or replace function notify.explain_parked(p_row notify.notifications)
returns table (code text, sentence text, until timestamptz, command text)
language plpgsql stable set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
#variable_conflict use_column
begin
  return query
  with own as (
    select notify.destination_of(p_row.channel, p_row.recipient) as name,
      encode(sha256(convert_to(p_row.recipient, 'utf8')), 'hex') as url_hash
  ), kept as (
    select d.state, d.destination, bool_and(d.url_hash <> '') as is_url, min(d.since) as since,
      max(d.code) as code, max(d.until) as until
    from own join notify.destination_state d on d.channel = p_row.channel
      and (d.destination = own.name or d.destination = '') and d.url_hash in ('', own.url_hash)
    join notify.workers w on w.worker = d.worker
      and w.beat_at between clock_timestamp() - interval '30 seconds' and clock_timestamp() + interval '30 seconds'
    where not p_row.is_test
    group by d.state, d.destination
  )
  select 'destination_parked', format('Its destination, %s, %s since %s%s',
      case when k.destination = '' then 'the mail server' else k.destination end,
      case k.state
        when 'breaker' then 'has failed again and again' || case when k.is_url then ' at this URL' else '' end
        when 'pace' then 'has taken less than it is offered'
        when 'url' then 'has asked for a pause or refused all that came to this URL'
        when 'name' then 'has a name whose look-up takes long'
        else 'has been slow or has not answered lately, and the room for such is used up' end,
      notify.moment(k.since),
      case k.state
        when 'breaker' then coalesce(' (' || (select m.meaning from notify.failure_means(k.code) m) || ')', '')
          || ': one notification at a time asks whether it is back.'
        when 'pace' then ': it gets no more than it takes.'
        else ': what is for it waits meanwhile.' end)
      || case when p_row.due_at > clock_timestamp()
        then ' This one is parked until ' || notify.moment(p_row.due_at) || '.' else '' end,
    case when p_row.due_at > clock_timestamp() then p_row.due_at
      when k.until > clock_timestamp() then k.until end,
    case when k.state in ('breaker', 'pace', 'url') then 'notify probe'
      || case when k.destination = '' then ''
        when k.destination ~ '^[A-Za-z0-9.:/_-]+$' then ' ' || k.destination
        else ' ''' || replace(k.destination, '''', '''\''''') || '''' end
      || case when p_row.channel = 'email' then ' --channel email' else '' end end
  from kept k
  order by array_position('{breaker,url,pace,name,share}'::text[], k.state)
  limit 1;
end
$$;

comment on function notify.explain_parked(notify.notifications) is 'explain_parked(p_row) -> sentences';
