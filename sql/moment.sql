-- moment(p_at) -> text
--
-- Write a time for people, in UTC.
--
-- Args     p_at timestamptz; null: some time
-- Returns  such as 2026-11-26 07:30:00 UTC, whatever the session has set
-- Caller   explain(), explain_road(), explain_parked(), explain_paused(), explain_queued(), explain_sending(), explain_ended()
create or replace function notify.moment(p_at timestamptz) returns text
language sql stable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case when p_at is null then 'some time' when isfinite(p_at)
    then to_char(p_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS "UTC"') else 'the end of time' end
$$;

comment on function notify.moment(timestamptz) is 'moment(p_at) -> text';
