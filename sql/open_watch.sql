-- open_watch() -> trigger, before each statement that a watch looks at
--
-- Give this statement a ticket, with which watched() may speak for the watch when the statement ends.
--
-- Note     Its argument is the watch's id. A watch that is off, or was made for another table, gets no ticket: then
--          watched() does nothing. Tickets are stacked in the setting notify.watch_<id>, because a trigger may change
--          the same table again; watched() takes its own away. It runs no code of others
-- Plan     primary key
-- Caller   the triggers that on_change() makes
create or replace function notify.open_watch() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_setting constant text := 'notify.watch_' || tg_argv[0];
begin
  if exists (select from notify.kept_watches w where w.id = tg_argv[0]::bigint and w.relation = tg_relid) then
    perform set_config(v_setting,
      notify.watch_ticket(tg_argv[0]::bigint) || coalesce(current_setting(v_setting, true), ''), true);
  end if;
  return null;
end
$$;

comment on function notify.open_watch() is 'open_watch() -> trigger, before each statement that a watch looks at';
