-- explain_queued(p_row) -> sentences
--
-- Say why a queued notification is not being sent.
--
-- Args     p_row notify.notifications, queued
-- Returns  (code, sentence, until, command), most important first
-- Plan     explain_road(), explain_paused(), ahead_of(); attempts by its primary key
-- Caller   explain()
create or replace function notify.explain_queued(p_row notify.notifications)
returns table (code text, sentence text, until timestamptz, command text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_most constant integer := 100000;
  v_now constant timestamptz := clock_timestamp();
  v_is_due constant boolean := p_row.due_at <= v_now;
  v_last notify.attempts;
  v_why text;
  v_is_kept boolean;
  v_ahead bigint;
  v_per_s double precision;
  v_has_room boolean;
  v_patience interval;
begin
  select * into v_last from notify.attempts a where a.notification_id = p_row.id order by a.attempt desc limit 1;
  return query select * from notify.explain_road(p_row) r where v_is_due or r.code = 'held_as_copy';

  if p_row.expires_at <= v_now then
    return query select 'expires', 'Its time has passed at ' || notify.moment(p_row.expires_at)
      || ': when a worker takes it, it becomes expired and is not sent.', p_row.expires_at, null::text;
  end if;
  return query select * from notify.explain_paused(p_row);
  if found then
    return query select 'expires', 'If it is not sent by ' || notify.moment(p_row.expires_at) || ', it expires.',
      p_row.expires_at, null::text where p_row.expires_at > v_now;
    return;
  end if;
  if p_row.last_error_code = 'refused' then
    return query select 'refused', 'PostgreSQL refused to move it: a trigger or a constraint that is not ours is in the'
      ' way. It is tried again each minute.', nullif(greatest(p_row.due_at, v_now), v_now),
      'notify status ' || p_row.id::text;
  end if;
  return query select * from notify.explain_parked(p_row);
  v_is_kept := found;

  select m.meaning || coalesce('. ' || m.advice, '.') into v_why
  from notify.failure_means(coalesce(v_last.code, nullif(v_last.outcome, 'temporary'))) m;
  if not v_is_due and p_row.first_claimed_at is null then
    return query select case when p_row.attempt > 0 then 'redriven' else 'not_due' end,
      case when p_row.attempt > 0 then 'It was redriven, and its turn comes at '
        when p_row.due_at = p_row.send_at then 'It is not due until the time that its producer asked for, '
        else 'It is not due until ' end || notify.moment(p_row.due_at) || '.', p_row.due_at, null::text;
  elsif not v_is_due and v_last.attempt = p_row.attempt then
    return query select 'waiting_for_retry', format('Attempt %s of %s %s at %s: %s The next begins at %s.',
      p_row.attempt, coalesce(p_row.max_attempts, p_row.attempt + 1),
      case when v_last.counted then 'failed' else 'did not count, as the receiver takes nothing for now,' end,
      notify.moment(v_last.started_at), v_why, notify.moment(p_row.due_at)), p_row.due_at, null::text;
  elsif not v_is_due and not v_is_kept and p_row.last_error_code is distinct from 'refused' then
    return query select 'given_back', 'A worker took it and gave it back unstarted; that cost no attempt. It is due again at '
      || notify.moment(p_row.due_at) || '.', p_row.due_at, null::text;
  elsif v_is_due then
    v_ahead := notify.ahead_of(p_row.priority, p_row.due_at, p_row.id, v_most + 1);
    select sum(w.per_s), bool_or(w.in_flight < w.slots) into v_per_s, v_has_room
    from notify.workers w where w.beat_at between v_now - interval '30 seconds' and v_now + interval '30 seconds';
    return query select case when v_ahead = 0 then 'next' else 'queued_behind' end, format(
      'It is due since %s, %s%s%s.', notify.moment(p_row.due_at),
      case when v_ahead = 0 then 'and the next' else 'behind '
        || case when v_ahead > v_most then 'more than ' else '' end
        || to_char(least(v_ahead, v_most), 'FM999,999') end,
      ' in lane ' || p_row.priority::text || case when v_ahead > 0 and p_row.priority > 0 then ' and more urgent ones' else '' end,
      case when v_ahead > 0 and v_per_s >= 0.1 then format('; at the present rate, %s a second, about %s to go',
        case when v_per_s < 10 then round(v_per_s::numeric, 1) else round(v_per_s::numeric) end,
        notify.rough((v_ahead / v_per_s)::numeric)) else '' end), null::timestamptz, null::text;
    if v_ahead = 0 and v_has_room and p_row.due_at < v_now - interval '1 minute' and not v_is_kept then
      return query select 'overlooked', 'Workers have room for it, and the ledger knows of nothing that keeps it: a trigger'
        ' or a constraint that is not ours may be in the way. See the workers'' logs for refused_by_database.',
        null::timestamptz, 'notify doctor';
    end if;
  end if;

  select max(w.patience) into v_patience from notify.workers w where w.beat_at between v_now - interval '30 seconds' and v_now + interval '30 seconds';
  if (v_is_kept or not v_last.counted) and v_patience is not null then
    return query select 'patience', 'While its receiver takes nothing, that costs no attempts until '
      || notify.moment(p_row.first_claimed_at + v_patience) || '; from then on each answer counts.',
      p_row.first_claimed_at + v_patience, null::text
    where p_row.first_claimed_at + v_patience > v_now;
  end if;
  if p_row.expires_at > v_now then
    return query select 'expires', 'If it is not sent by ' || notify.moment(p_row.expires_at) || ', it expires.',
      p_row.expires_at, null::text;
  end if;
end
$$;

comment on function notify.explain_queued(notify.notifications) is 'explain_queued(p_row) -> sentences';
