-- rough(p_seconds) -> text
--
-- Write how long something takes, in one unit.
--
-- Args     p_seconds numeric, zero or more
-- Returns  such as 5 s, 3 min, 2 h or 4 days
-- Caller   explain_queued()
create or replace function notify.rough(p_seconds numeric) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case when p_seconds < 100 then ceil(p_seconds)::text || ' s'
    when p_seconds < 6000 then round(p_seconds / 60)::text || ' min'
    when p_seconds < 172800 then round(p_seconds / 3600)::text || ' h'
    else round(p_seconds / 86400)::text || ' days' end
$$;

comment on function notify.rough(numeric) is 'rough(p_seconds) -> text';
