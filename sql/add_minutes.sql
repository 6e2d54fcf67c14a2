-- add_minutes(p_counts) -> nothing
--
-- Add what one worker process counted in one minute to what others counted, and delete what is older than two hours.
--
-- Args     p_counts jsonb: {at, rows}. `at`: the minute, in seconds since 1970; one that is ahead counts as now, and one
--          that is older than ten minutes as ten minutes ago. `rows`: an array of {channel, destination, sends, failures,
--          took, last_code, failed_s}, as in destination_minutes, up to 1000; `failed_s` in seconds since 1970, or null
-- Note     What has a key that no index takes is left out. A worker that hears no answer adds again: counts may be
--          doubled then
-- Locks    its rows, in the order of their key, for 100 ms at most; up to 2000 old ones, skipping what is locked
-- Plan     primary key
-- Caller   workers' HeartStore.add_minutes, when a minute is over
create or replace function notify.add_minutes(p_counts jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '100ms'
set enable_seqscan = off as $$
#variable_conflict use_column
declare
  v_now constant double precision := extract(epoch from clock_timestamp());
  v_at constant double precision := least(greatest((p_counts ->> 'at')::double precision, v_now - 600), v_now);
  v_minute constant timestamptz := to_timestamp(floor(v_at / 60) * 60);
begin
  delete from notify.destination_minutes m
  where m.ctid = any (array(
    select o.ctid from notify.destination_minutes o
    where o.minute < v_minute - interval '2 hours'
    order by o.minute, o.channel, o.destination
    limit 2000
    for update skip locked));
  insert into notify.destination_minutes as m (minute, channel, destination, sends, failures, took, last_code, last_failed_at)
  select distinct on (c.channel, c.destination) v_minute, c.channel, c.destination, c.sends, c.failures, c.took,
    left(c.last_code, 100),
    case when c.failed_s is not null then to_timestamp(least(greatest(c.failed_s, v_now - 3600), v_now)) end
  from (
    select r.* from jsonb_to_recordset(p_counts -> 'rows') as r(channel text, destination text, sends integer,
      failures integer, took integer[], last_code text, failed_s double precision)
    limit 1000
  ) as c
  where octet_length(c.channel) + octet_length(c.destination) <= 1000
  order by c.channel, c.destination
  on conflict (minute, channel, destination) do update set
    sends = m.sends + excluded.sends,
    failures = m.failures + excluded.failures,
    took = array(
      select coalesce(b.ours, 0) + coalesce(b.theirs, 0)
      from unnest(m.took, excluded.took) with ordinality as b(ours, theirs, place) order by b.place),
    last_code = case when excluded.last_failed_at >= m.last_failed_at or m.last_failed_at is null
      then excluded.last_code else m.last_code end,
    last_failed_at = greatest(m.last_failed_at, excluded.last_failed_at);
end
$$;

comment on function notify.add_minutes(jsonb) is 'add_minutes(p_counts) -> nothing';
