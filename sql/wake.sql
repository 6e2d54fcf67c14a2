-- wake() -> trigger, after an INSERT statement
--
-- Ring the doorbell: ask a sleeping dispatcher to look. The message holds nothing more.
--
-- Note     The trigger's WHEN calls it only while the dispatcher sleeps (see arm), because each NOTIFY takes a
--          global lock at commit; and not into a queue that is nearly full, where the INSERT would fail with it (see
--          tell_end): the dispatcher looks each second anyway. `set local notify.wake = off` silences a bulk load.
--          Nor where EXECUTE on pg_notify or pg_notification_queue_usage was revoked from PUBLIC: it would fail
--          likewise. So it does without pg_try_advisory_xact_lock_shared, which WHEN calls: see rights_amiss()
-- Caller   trigger wake on notifications
create or replace function notify.wake() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if has_function_privilege('pg_notify(text, text)', 'execute')
    and has_function_privilege('pg_notification_queue_usage()', 'execute') then
    -- Not in the condition above: EXECUTE is checked before any of it runs.
    if pg_notification_queue_usage() < 0.9 then
      perform pg_notify('notify_wake', '');
    end if;
  end if;
  return null;
end
$$;

comment on function notify.wake() is 'wake() -> trigger, after an INSERT statement';
