-- destination(p_channel, p_destination) -> a row for each of the last 60 minutes
--
-- Show minute by minute what one destination took in the last hour, the oldest first.
--
-- Args     as destinations() names it
-- Returns  (minute, sends, failures, p50_ms, p99_ms, last_code), none missing; the minute under way comes last, and is not
--          counted before it is over. p50_ms, p99_ms null: nothing was sent
-- Plan     destination_minutes by its key, once for each minute
-- Caller   FigureStore.minutes
create or replace function notify.destination(p_channel text, p_destination text)
returns table (minute timestamptz, sends integer, failures integer, p50_ms double precision, p99_ms double precision,
  last_code text)
language plpgsql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
#variable_conflict use_column
declare
  v_minute constant timestamptz := to_timestamp(floor(extract(epoch from clock_timestamp()) / 60) * 60);
begin
  return query
  select t.minute, coalesce(m.sends, 0), coalesce(m.failures, 0), notify.took_at(m.took, 0.5), notify.took_at(m.took, 0.99),
    m.last_code::text
  from generate_series(v_minute - interval '59 minutes', v_minute, '1 minute') as t(minute)
  left join lateral (
    select d.sends, d.failures, d.took::bigint[] as took, d.last_code from notify.destination_minutes d
    where d.minute = t.minute and d.channel = p_channel and d.destination = p_destination
    offset 0
  ) m on true
  order by t.minute;
end
$$;

comment on function notify.destination(text, text) is
  'destination(p_channel, p_destination) -> a row for each of the last 60 minutes';
