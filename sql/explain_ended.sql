-- explain_ended(p_row) -> sentences
--
-- Say how a notification ended, and whether anything more can be done.
--
-- Args     p_row notify.notifications, sent, failed, expired or cancelled
-- Returns  (code, sentence, until, command), most important first
-- Caller   explain()
create or replace function notify.explain_ended(p_row notify.notifications)
returns table (code text, sentence text, until timestamptz, command text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_at constant text := notify.moment(p_row.settled_at);
  v_can_redrive constant boolean := p_row.emptied_at is null
    and coalesce(p_row.expires_at > clock_timestamp(), true);
  v_helps constant boolean := v_can_redrive and p_row.last_error_code is distinct from '410';   -- gone for good
  v_why text;
begin
  select m.meaning || coalesce('. ' || m.advice, '.') into v_why from notify.failure_means(p_row.last_error_code) m;
  return query
  select case when p_row.status = 'cancelled' and p_row.last_error_code = 'discarded' then 'discarded'
      else p_row.status::text end,
    case p_row.status
      when 'sent' then format('It was sent at %s, by attempt %s.', v_at, p_row.attempt)
      when 'expired' then format('It expired: it was not sent by %s.', notify.moment(p_row.expires_at))
      when 'failed' then format('It failed at %s, after %s %s: %s', v_at, p_row.attempt,
        case p_row.attempt when 1 then 'attempt' else 'attempts' end, v_why)
        || case when v_helps then ' Then redrive it.' else '' end
      else case when p_row.last_error_code = 'discarded'
        then format('It was cancelled at %s: this ledger was copied, and the original sends it.', v_at)
        else format('It was cancelled at %s.', v_at) end end,
    null::timestamptz,
    case when p_row.status = 'failed' and v_helps then 'notify redrive ' || p_row.id::text end;
  if p_row.emptied_at is not null then
    return query select 'payload_emptied', 'Its payload was emptied at ' || notify.moment(p_row.emptied_at)
      || ': it cannot be redriven' || case p_row.status when 'failed' then ', send it anew.' else '.' end,
      null::timestamptz, null::text;
  elsif p_row.status = 'failed' and not v_can_redrive then
    return query select 'expires', 'Its time has passed at ' || notify.moment(p_row.expires_at)
      || ': a redrive leaves it as it is.', null::timestamptz, null::text;
  end if;
end
$$;

comment on function notify.explain_ended(notify.notifications) is 'explain_ended(p_row) -> sentences';
