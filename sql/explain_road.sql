-- explain_road(p_row) -> sentences
--
-- Say what keeps everything like this from being sent: a ledger that is a copy, workers or a dispatcher that are gone.
--
-- Args     p_row notify.notifications, queued or being sent
-- Returns  (code, sentence, until, command), most important first; none: the road is open
-- Note     A worker that has not beaten for 30 s counts as gone. Those of releases before beat never: as long as a
--          lease of somebody unheard of runs, workers are there
-- Plan     notifications_leased, the leases that still run
-- Caller   explain_queued(), explain_sending()
create or replace function notify.explain_road(p_row notify.notifications)
returns table (code text, sentence text, until timestamptz, command text)
language plpgsql stable set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set jit = off set max_parallel_workers_per_gather = 0 as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  v_settings notify.settings;
  v_noticed_at timestamptz;
  v_is_copy boolean;
  v_alive integer;
  v_at_home integer;
  v_able integer;
  v_heard_at timestamptz;
  v_lo uuid;
  v_hi uuid;
begin
  select * into v_settings from notify.settings;
  select min(c.noticed_at) into v_noticed_at from notify.copies c
  where c.database_name = current_database() and c.server_started_at = pg_postmaster_start_time();
  v_is_copy := case when v_settings.environment is null then not notify.is_home(null)
    else v_noticed_at is not null
      and not (notify.is_home_place() and v_settings.server_started_at = pg_postmaster_start_time()) end;
  if v_is_copy then
    return query select 'held_as_copy',
      'It is held because this ledger was copied' || coalesce(', as was noticed at ' || notify.moment(v_noticed_at), '')
        || ': a copy sends nothing. If this is the ledger''s new place, adopt it; if it is a copy for tests, adopt it'
        || ' with --discard, which first cancels what the original sends.',
      null::timestamptz, 'notify adopt';
    return;
  end if;

  select count(*), count(*) filter (where notify.is_home(w.environment)),
    count(*) filter (where notify.is_home(w.environment) and p_row.channel = any (w.channels))
    into v_alive, v_at_home, v_able
  from notify.workers w where w.beat_at between v_now - interval '30 seconds' and v_now + interval '30 seconds';
  if p_row.status = 'queued' and v_alive = 0 then
    for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
      v_alive := v_alive + (select count(*) from (
        select from notify.notifications n
        where n.status = 'sending' and n.lease_until > v_now and (v_lo is null or n.id between v_lo and v_hi)
          and not exists (select from notify.workers w where w.worker = n.claimed_by)
        limit 1) as unheard);
    end loop;
    if v_alive = 0 then
      select max(w.beat_at) into v_heard_at from notify.workers w;
      return query select 'no_worker', case when v_heard_at is null then 'No worker was ever heard of: does one run?'
        else 'No worker was heard of since ' || notify.moment(v_heard_at) || ': does one run?' end
        || ' It is sent when one does.',
        null::timestamptz, 'notify worker';
    end if;
  elsif p_row.status = 'queued' and v_at_home = 0 then
    return query select 'wrong_environment', format(
      'The workers that run have another ENVIRONMENT than this ledger, which is %s, and take nothing.',
      quote_literal(v_settings.environment)), null::timestamptz, 'notify doctor';
  elsif p_row.status = 'queued' and v_able = 0 then
    return query select 'channel_not_configured', format(
      'None of the %s workers that are heard of can send on channel %s: %s', v_at_home, quote_ident(left(p_row.channel, 63)),
      case p_row.channel when 'email' then 'set SMTP_URL and MAIL_FROM for them.' else 'they do not know it.' end),
      null::timestamptz, 'notify doctor';
  end if;
  if not exists (select from notify.lock_holder(2) h where h.is_ours) then
    return query select 'no_dispatcher', 'No dispatcher leads: workers look for what is due themselves, each second, '
      'and nobody takes back what dead workers hold.', null::timestamptz, 'notify dispatcher';
  end if;
end
$$;

comment on function notify.explain_road(notify.notifications) is 'explain_road(p_row) -> sentences';
