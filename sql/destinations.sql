-- destinations(p_limit, p_find, p_is_kept, p_channel, p_name) -> up to p_limit rows
--
-- Show what each destination took in the last hour, the busiest first, and what workers keep back from it now.
--
-- Args     p_limit integer, at most 200: of a thousand the sums of their histograms would take 300 ms. Each of the others
--          narrows it: p_find text, which a name contains in any case (null: any); p_is_kept, only what is kept back;
--          p_channel, p_name text: of this channel, with this name (null: any)
-- Returns  (channel, destination, sends, failures, per_min, p50_ms, p99_ms, last_code, last_failed_at, state, state_since,
--          state_until, state_code). destination '': the others of its channel, and of email also the mail server of
--          all. per_min: since its first minute of the hour. state: the gravest of those that living workers tell of
--          it, else of one of its URLs, null: none; a destination that has one is there even if nothing was sent to it
-- Note     A minute is there about 20 s after it was over
-- Plan     a custom one, as a generic one takes six times as long: destination_minutes by its key, an hour of it, twice;
--          workers and destination_state, which are small. With 1000 destinations in each of 120 minutes 100 rows take
--          40 ms
-- Caller   FigureStore.destinations, FigureStore.destination
create or replace function notify.destinations(
  p_limit integer, p_find text default null, p_is_kept boolean default false, p_channel text default null,
  p_name text default null)
returns table (channel text, destination text, sends bigint, failures bigint, per_min double precision,
  p50_ms double precision, p99_ms double precision, last_code text, last_failed_at timestamptz,
  state text, state_since timestamptz, state_until timestamptz, state_code text)
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set jit = off set max_parallel_workers_per_gather = 0 as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  v_from constant timestamptz := v_now - interval '1 hour';
begin
  return query
  with counted as (
    select m.channel::text, m.destination::text, sum(m.sends) as sends, sum(m.failures) as failures, min(m.minute) as begun
    from notify.destination_minutes m
    where m.minute > v_from and m.minute <= v_now
      and (p_find is null or position(lower(p_find collate "C") in lower(m.destination collate "C")) > 0)
      and (p_channel is null or m.channel = p_channel) and (p_name is null or m.destination = p_name)
    group by 1, 2
  ), kept as (
    select distinct on (d.channel, d.destination) d.channel::text, d.destination::text, d.state, d.since, d.until, d.code
    from notify.destination_state d
    join notify.workers w on w.worker = d.worker
      and w.beat_at between v_now - interval '30 seconds' and v_now + interval '30 seconds'
    where (d.url_hash = '' or d.state in ('url', 'breaker'))
      and (p_find is null or position(lower(p_find collate "C") in lower(d.destination collate "C")) > 0)
      and (p_channel is null or d.channel = p_channel) and (p_name is null or d.destination = p_name)
    order by d.channel, d.destination, array_position('{breaker,pace,name,share,url}'::text[],
      case when d.url_hash = '' then d.state::text else 'url' end), d.state, d.since
  ), listed as materialized (
    select * from counted c full join kept k using (channel, destination)
    where k.state is not null or not p_is_kept
    order by c.sends desc nulls last, channel, destination
    limit least(p_limit, 200)
  ), took as (
    select l.channel, l.destination,
      array[sum(m.took[1]), sum(m.took[2]), sum(m.took[3]), sum(m.took[4]), sum(m.took[5]), sum(m.took[6]), sum(m.took[7]),
        sum(m.took[8]), sum(m.took[9]), sum(m.took[10]), sum(m.took[11]), sum(m.took[12]), sum(m.took[13]), sum(m.took[14])]
        as buckets,
      (array_agg(m.last_code::text order by m.last_failed_at desc) filter (where m.failures > 0))[1] as last_code,
      max(m.last_failed_at) as last_failed_at
    from listed l
    join notify.destination_minutes m on m.minute > v_from and m.minute <= v_now and m.channel = l.channel and m.destination = l.destination
    group by l.channel, l.destination
  )
  select l.channel, l.destination, coalesce(l.sends, 0), coalesce(l.failures, 0),
    coalesce(l.sends / greatest(extract(epoch from v_now - l.begun) / 60, 1), 0)::double precision,
    notify.took_at(t.buckets, 0.5), notify.took_at(t.buckets, 0.99), t.last_code, t.last_failed_at,
    l.state::text, notify.readable(l.since), notify.readable(l.until), l.code::text
  from listed l left join took t using (channel, destination)
  order by l.sends desc nulls last, l.channel, l.destination;
end
$$;

comment on function notify.destinations(integer, text, boolean, text, text) is
  'destinations(p_limit, p_find, p_is_kept, p_channel, p_name) -> up to p_limit rows';
