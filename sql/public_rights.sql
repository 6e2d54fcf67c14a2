-- public_rights() -> one row per function
--
-- Name the functions that PUBLIC may execute once there is a watch, because whoever changes a watched table calls them
-- with rights of their own. Two of them ask for a ticket, one writes a query from the catalog, one tells what the triggers
-- on a table tell.
--
-- Caller   open_watches(), rights_amiss()
create or replace function notify.public_rights() returns table (name text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select p.oid::regprocedure::text from pg_proc p
  where p.pronamespace = 'notify'::regnamespace and p.proname in ('put_watched', 'note_watch_fault', 'watch_query',
    'is_watched')
$$;

comment on function notify.public_rights() is 'public_rights() -> one row per function';
