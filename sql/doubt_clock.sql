-- doubt_clock() -> nothing
--
-- Let nothing be forgotten for a day, because the ledger's clock has jumped: what looks old may be minutes old.
--
-- Note     The day is counted by that clock. A jump back from a wrong time is one too, and begins the day anew
-- Locks    the row of notify.settings
-- Caller   LeaderStore.doubt_clock, forget_from(), turn_keys()
create or replace function notify.doubt_clock() returns void
language sql set search_path = pg_catalog, pg_temp as $$
  update notify.settings s set forget_from = clock_timestamp() + interval '24 hours'
$$;

comment on function notify.doubt_clock() is 'doubt_clock() -> nothing';
