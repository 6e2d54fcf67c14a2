-- checkup(p_found) -> one row
--
-- Answer what `notify doctor` asks the database, at a cost that does not grow with the queue.
--
-- Args     p_found regclass, to_regclass('notifications') in the caller's own search_path: which table that
--          name means there (null: none). This function has a search_path of its own
-- Returns  server_version_num; now_at timestamptz, its clock; is_replica;
--          days_ahead integer, of the seven days after today those that have a partition; expired_leases integer,
--          leases that ended over a minute ago, counted to 1000; in_default integer, rows outside their day's
--          partition, counted to 1000; notify_usage double precision, share of the NOTIFY queue in use;
--          oldest_transaction_age interval (null: none); finds_table: p_found is our table, so
--          `insert into notifications` finds it in a new session of this role
-- Plan     as abandoned_leases(); the catalog
-- Caller   DoctorStore.checkup
create or replace function notify.checkup(p_found regclass)
returns table (
  server_version_num integer, now_at timestamptz, is_replica boolean,
  days_ahead integer, expired_leases integer, in_default integer, notify_usage double precision,
  oldest_transaction_age interval, finds_table boolean)
language sql set enable_seqscan = off set search_path = pg_catalog, pg_temp as $$
  select
    current_setting('server_version_num')::integer,
    clock_timestamp(),
    pg_is_in_recovery(),
    (select count(*)::integer from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'notify.notifications'::regclass
        and c.relname = any (array(
          select 'notifications_' || to_char(clock_timestamp() at time zone 'utc' + n * interval '1 day', 'YYYYMMDD')
          from generate_series(1, 7) n))),
    notify.abandoned_leases(interval '1 minute', 1000),
    (select count(*)::integer from (select from notify.notifications_default limit 1000) as counted),
    pg_notification_queue_usage(),
    (select max(clock_timestamp() - a.xact_start) from pg_stat_activity a
      where a.datname = current_database() and a.pid <> pg_backend_pid()),
    coalesce(p_found = 'notify.notifications'::regclass, false)
$$;

comment on function notify.checkup(regclass) is 'checkup(p_found) -> one row';
