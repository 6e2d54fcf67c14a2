-- is_watched(p_watch, p_table) -> boolean
--
-- Return whether a watch looks at a table now.
--
-- Note     watched() asks when its statement has no ticket: whoever changes the table may have emptied the setting that
--          holds it. It is for PUBLIC, as watched() is, and tells no more than the trigger on the table does
-- Plan     primary key
-- Caller   watched()
create or replace function notify.is_watched(p_watch bigint, p_table regclass) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select exists (select from notify.kept_watches w where w.id = p_watch and w.relation = p_table)
$$;

comment on function notify.is_watched(bigint, regclass) is 'is_watched(p_watch, p_table) -> boolean';
