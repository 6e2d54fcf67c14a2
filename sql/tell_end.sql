-- tell_end() -> trigger, after a row with notify_on_end has ended
--
-- Ring notify_end: some notification whose producer asked for it has ended. It carries nothing, so that PostgreSQL
-- sends one for each transaction, and tells nobody about others.
--
-- Note     Who listens looks at outcomes() for its own. A row that is redriven, and ends again, rings again.
--          In a full queue NOTIFY fails, and only at the commit: with it would fail all that a worker settles at once,
--          so that hundreds would be sent again. The last tenth is for bells that ring at the same time.
--          Silent too where EXECUTE on pg_notify or pg_notification_queue_usage was revoked: the settle would fail
-- Caller   trigger tell_end on notifications
create or replace function notify.tell_end() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if has_function_privilege('pg_notify(text, text)', 'execute')
    and has_function_privilege('pg_notification_queue_usage()', 'execute') then
    -- Not in the condition above: EXECUTE is checked before any of it runs.
    if pg_notification_queue_usage() < 0.9 then
      perform pg_notify('notify_end', '');
    end if;
  end if;
  return null;
end
$$;

comment on function notify.tell_end() is 'tell_end() -> trigger, after a row with notify_on_end has ended';
