-- depends: 0003-attempts

set local search_path = pg_catalog, pg_temp;

create or replace trigger accept before insert on notify.notifications
for each row execute function notify.accept();

-- 1852798057 is 'noti'; the lock (1852798057, 1) is the doorbell's, see sql/arm.sql.
create or replace trigger wake after insert on notify.notifications
for each statement when (
  current_setting('notify.wake', true) is distinct from 'off'
  and not pg_try_advisory_xact_lock_shared(1852798057, 1))
execute function notify.wake();
