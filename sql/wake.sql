-- wake() -> trigger, after an INSERT statement
--
-- Ring the doorbell: ask a sleeping dispatcher to look. The message holds nothing more.
--
-- Note     The trigger's WHEN calls it only while the dispatcher sleeps (see arm), because each NOTIFY takes a
--          global lock at commit. `set local notify.wake = off` silences a bulk load.
-- Caller   trigger wake on notifications
create or replace function notify.wake() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('notify_wake', '');
  return null;
end
$$;

comment on function notify.wake() is 'wake() -> trigger, after an INSERT statement';
