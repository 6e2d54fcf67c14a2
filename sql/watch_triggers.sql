-- watch_triggers() -> one row per trigger
--
-- Name the triggers of watches, on whatever table: by what they call, as they may have been renamed.
--
-- Returns  (watch, name, relation): watch text is their first argument
-- Plan     pg_trigger, all of it
-- Caller   off_change(), watches_amiss()
create or replace function notify.watch_triggers() returns table (watch text, name name, relation regclass)
language sql stable set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
  select split_part(encode(t.tgargs, 'escape'), '\000', 1), t.tgname, t.tgrelid::regclass
  from pg_trigger t
  where t.tgfoid in (to_regproc('notify.open_watch'), to_regproc('notify.watched'))
$$;

comment on function notify.watch_triggers() is 'watch_triggers() -> one row per trigger';
