-- explain_sending(p_row) -> sentences
--
-- Say who has a notification that is being sent, and what happens if they do not settle it.
--
-- Args     p_row notify.notifications, being sent
-- Returns  (code, sentence, until, command), most important first
-- Plan     the attempts' primary key; explain_road()
-- Note     A worker that has never beaten is of a release before, and nobody calls it dead
-- Caller   explain()
create or replace function notify.explain_sending(p_row notify.notifications)
returns table (code text, sentence text, until timestamptz, command text)
language plpgsql stable set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  v_beat_at timestamptz := (select w.beat_at from notify.workers w where w.worker = p_row.claimed_by);
  v_noted notify.attempts;
  v_what constant text := format('attempt %s of %s', p_row.attempt, coalesce(p_row.max_attempts, p_row.attempt));
  v_worker constant text := left(regexp_replace(p_row.claimed_by, '[^\u0020-\u007e]', '?', 'g'), 250);
  v_then constant text := case when p_row.attempt < p_row.max_attempts then ', and it is tried again.'
    else ': it was the last attempt, and the notification fails.' end;
begin
  return query select * from notify.explain_road(p_row) r where r.code = 'held_as_copy';
  select * into v_noted from notify.attempts a where a.notification_id = p_row.id and a.attempt = p_row.attempt
    and a.worker = p_row.claimed_by;
  if found then
    return query select 'settle_refused', format(
      'Attempt %s ended at %s%s, but PostgreSQL refuses to write down what became of the notification: a trigger or a'
      ' constraint that is not ours is in the way. That is tried again each minute, and nothing is sent meanwhile.',
      p_row.attempt, notify.moment(v_noted.started_at + v_noted.took_ms * interval '1 millisecond'),
      case v_noted.outcome when 'sent' then ': it was sent' else '' end), null::timestamptz, 'notify status ' || p_row.id::text;
  elsif p_row.lease_until <= v_now then
    return query select 'lease_passed', format('Worker %s did not settle %s by %s: the reaper takes it within %s%s', v_worker,
      v_what, notify.moment(p_row.lease_until), 'a minute of a dispatcher''s lead', v_then),
      null::timestamptz, null::text;
  elsif v_beat_at < v_now - interval '30 seconds' then
    return query select 'worker_died', format(
      'Its worker %s died, or is cut off: no heartbeat since %s. The reaper takes %s at %s%s', v_worker,
      notify.moment(v_beat_at), v_what, notify.moment(p_row.lease_until), v_then), p_row.lease_until, null::text;
  else
    return query select 'leased', format(
      'Its %s is leased to worker %s until %s. If it is not settled by then, the reaper takes it%s', v_what, v_worker,
      notify.moment(p_row.lease_until), v_then), p_row.lease_until, null::text;
  end if;
  return query select * from notify.explain_road(p_row) r
  where r.code = 'no_dispatcher' and (v_noted.attempt is not null or p_row.lease_until <= v_now or v_beat_at < v_now - interval '30 seconds');
end
$$;

comment on function notify.explain_sending(notify.notifications) is 'explain_sending(p_row) -> sentences';
