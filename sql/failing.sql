-- failing(p_limit) -> up to p_limit rows
--
-- Name the destinations of which everything failed that was sent to them lately, the busiest first.
--
-- Args     p_limit integer
-- Returns  (channel, destination, sends, since, last_code): all sends of the last 15 minutes failed, since the minute
--          `since`; the code is that of the last failure
-- Note     A breaker takes ten failures in a row within a minute of each other, which a destination with few sends never
--          has. A minute is there about 20 s after it was over
-- Plan     destination_minutes by its key, 15 minutes of it
-- Caller   NowStore.look
create or replace function notify.failing(p_limit integer)
returns table (channel text, destination text, sends bigint, since timestamptz, last_code text)
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
set max_parallel_workers_per_gather = 0 as $$
begin
  return query
  select m.channel::text, m.destination::text, sum(m.sends)::bigint, notify.readable(min(m.minute)),
    (array_agg(m.last_code::text order by m.last_failed_at desc nulls last))[1]
  from notify.destination_minutes m
  where m.minute > clock_timestamp() - interval '15 minutes' and m.minute <= clock_timestamp() and m.destination <> ''
  group by 1, 2
  having sum(m.failures) >= sum(m.sends) and sum(m.sends) > 0
  order by sum(m.sends) desc, 1, 2
  limit p_limit;
end
$$;

comment on function notify.failing(integer) is 'failing(p_limit) -> up to p_limit rows';
