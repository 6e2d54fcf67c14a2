-- flow(p_minutes) -> up to p_minutes rows
--
-- Show what came in and what went out in each of the last minutes that are over, the oldest first.
--
-- Args     p_minutes integer, at most 60
-- Returns  (minute, came_in, went_out, failed), a row for each minute. went_out: sent, failed or expired, as fold_slo()
--          saw it, some 10 s later. came_in: that, and what was more in the queue when the minute was over than when it
--          began; what was cancelled lacks in it, what was redriven is in it. null: not known, because nobody led then,
--          or there was more than can be counted
-- Plan     minutes and figures by their keys
-- Caller   FigureStore.flow
create or replace function notify.flow(p_minutes integer)
returns table (minute timestamptz, came_in bigint, went_out bigint, failed bigint)
language sql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
  with this as (
    select to_timestamp(floor(extract(epoch from clock_timestamp()) / 60) * 60) as minute
  ), edges as (
    select e.at, seen.rows
    from this, generate_series(this.minute - least(p_minutes, 60) * interval '1 minute', this.minute, '1 minute') as e(at)
    left join lateral (
      select case when not f.is_estimate then f.quiet + f.sending + (select sum(n) from unnest(f.queued) as n) end as rows
      from notify.figures f
      where f.at <= e.at and f.at > e.at - interval '1 minute'
      order by f.at desc
      limit 1
    ) seen on true
  ), spans as (
    select e.at as minute, lead(e.at) over moments as until, lead(e.rows) over moments - e.rows as more
    from edges e
    window moments as (order by e.at)
  )
  select s.minute, case when s.more is not null then greatest(coalesce(m.sent + m.failed + m.expired, 0) + s.more, 0) end::bigint,
    coalesce(m.sent + m.failed + m.expired, 0), coalesce(m.failed, 0)
  from spans s left join notify.minutes m on m.minute = s.minute
  where s.until is not null
  order by s.minute
$$;

comment on function notify.flow(integer) is 'flow(p_minutes) -> up to p_minutes rows';
