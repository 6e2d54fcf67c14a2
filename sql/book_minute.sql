-- book_minute(p_in_time, p_late, p_failed, p_expired) -> nothing
--
-- Count what fold_slo() has just seen end to this minute, and delete minutes that are more than a day old.
--
-- Args     each bigint, not below 0
-- Note     Only pages read it: what keeps it from being counted is a warning, and nothing of the ledger waits for it
-- Locks    the minute's row; up to 100 old ones, skipping what is locked
-- Plan     primary key
-- Caller   fold_slo()
create or replace function notify.book_minute(p_in_time bigint, p_late bigint, p_failed bigint, p_expired bigint)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off
set lock_timeout = '100ms' as $$
declare
  v_minute constant timestamptz := to_timestamp(floor(extract(epoch from clock_timestamp()) / 60) * 60);
begin
  if p_in_time + p_late + p_failed + p_expired <= 0 then
    return;
  end if;
  delete from notify.minutes m
  where m.minute = any (array(
    select o.minute from notify.minutes o where o.minute < v_minute - interval '1 day' order by o.minute limit 100
    for update skip locked));
  insert into notify.minutes as m (minute, sent, in_time, failed, expired)
  values (v_minute, p_in_time + p_late, p_in_time, p_failed, p_expired)
  on conflict (minute) do update set
    sent = m.sent + excluded.sent,
    in_time = m.in_time + excluded.in_time,
    failed = m.failed + excluded.failed,
    expired = m.expired + excluded.expired;
exception when others or assert_failure then
  raise warning 'a minute is not counted: %', sqlerrm;
end
$$;

comment on function notify.book_minute(bigint, bigint, bigint, bigint) is
  'book_minute(p_in_time, p_late, p_failed, p_expired) -> nothing';
