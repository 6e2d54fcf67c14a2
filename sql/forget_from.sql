-- forget_from() -> timestamptz
--
-- Say from when on history may be forgotten: old days, strays, payloads and idempotency keys, which are lost for good.
--
-- Returns  a moment to come, at most a day from now; null: it may be forgotten
-- Note     The clock is doubted here, too, if notify.figures has a row that is more than a day from now: the leader
--          notes them each few seconds, and keeps an hour of them. So the clock was wrong or is, or nobody has led for a
--          day, which looks the same. Without figures nothing is known, and nothing waits.
--          It is asked by note_figures() before the rows that prove it are deleted
-- Locks    the row of notify.settings, if it changes
-- Plan     primary key of figures
-- Caller   LeaderStore.forget_from, note_figures(), turn_keys()
create or replace function notify.forget_from() returns timestamptz
language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set row_security = off as $$
declare
  v_now constant timestamptz := clock_timestamp();
begin
  if exists (select from notify.figures f where f.at < v_now - interval '1 day')
    or exists (select from notify.figures f where f.at > v_now + interval '1 day')
    -- By a clock that was ahead: no wait is longer than a day.
    or exists (select from notify.settings s where s.forget_from > v_now + interval '24 hours')
  then
    perform notify.doubt_clock();
  end if;
  return (select s.forget_from from notify.settings s where s.forget_from > v_now);
end
$$;

comment on function notify.forget_from() is 'forget_from() -> timestamptz';
