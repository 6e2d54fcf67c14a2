-- vitals() -> one row
--
-- Measure PostgreSQL itself, as far as this queue depends on it.
--
-- Returns  notify_usage double precision, share of the NOTIFY queue in use; oldest_transaction_age interval
--          and xmin_age bigint, the number of transactions by which the oldest snapshot, slot or prepared
--          transaction holds vacuum back: both 0 if there is none, both null if this role may not look at some
--          session (a member of pg_read_all_stats may look at all); then, of `notifications` and `attempts`
--          with all their partitions, dead rows by the server's own statistics, and bytes, with indexes and
--          TOAST. Of quiet days the bytes are those when last tended, and dead rows are left out;
--          days_ahead integer, of the seven days after today (UTC) those that have a partition; rows in the default
--          partitions, counted to 1000
-- Plan     the catalog, and the head of each default partition
-- Note     An autovacuum worker's own snapshot holds nothing back.
-- Caller   LeaderStore.vitals
create or replace function notify.vitals()
returns table (
  notify_usage double precision, oldest_transaction_age interval, xmin_age bigint,
  notifications_dead bigint, attempts_dead bigint, notifications_bytes bigint, attempts_bytes bigint,
  days_ahead integer, notifications_in_default integer, attempts_in_default integer)
language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  v_now timestamptz := clock_timestamp();
  v_sees_all boolean;
begin
  notify_usage := pg_notification_queue_usage();

  select
    coalesce(bool_and(pg_has_role(a.usesysid, 'usage')), true)
      or pg_has_role('pg_read_all_stats', 'usage'),
    max(v_now - a.xact_start) filter (where a.datid is not null),
    max(age(a.backend_xmin))
    into v_sees_all, oldest_transaction_age, xmin_age
  from pg_stat_activity a
  where (a.datname = current_database() or a.datid is null)
    and a.usesysid is not null and a.pid <> pg_backend_pid()
    and a.backend_type is distinct from 'autovacuum worker';
  if v_sees_all then
    select
      greatest(oldest_transaction_age, max(v_now - p.prepared), '0'),
      greatest(xmin_age, max(age(p.transaction)),
        (select max(greatest(age(s.xmin), age(s.catalog_xmin))) from pg_replication_slots s), 0)
      into oldest_transaction_age, xmin_age
    from pg_prepared_xacts p
    where p.database = current_database();
  else
    oldest_transaction_age := null;
    xmin_age := null;
  end if;

  select
    sum(pg_stat_get_dead_tuples(i.inhrelid)) filter (
      where i.inhparent = 'notify.notifications'::regclass and q.day is null),
    sum(pg_stat_get_dead_tuples(i.inhrelid)) filter (
      where i.inhparent = 'notify.attempts'::regclass and q.day is null),
    sum(coalesce(q.notifications_bytes, pg_total_relation_size(i.inhrelid))) filter (
      where i.inhparent = 'notify.notifications'::regclass),
    sum(coalesce(q.attempts_bytes, pg_total_relation_size(i.inhrelid))) filter (
      where i.inhparent = 'notify.attempts'::regclass),
    count(*) filter (where i.inhparent = 'notify.notifications'::regclass and c.relname = any (array(
      select 'notifications_' || to_char(v_now at time zone 'utc' + n * interval '1 day', 'YYYYMMDD')
      from generate_series(1, 7) n)))
    into notifications_dead, attempts_dead, notifications_bytes, attempts_bytes, days_ahead
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  left join notify.quiet_days q on q.until > v_now
    and right(c.relname, 8) = to_char(q.day, 'YYYYMMDD') and c.relname ~ '_[0-9]{8}$'
  where i.inhparent in ('notify.notifications'::regclass, 'notify.attempts'::regclass);

  select count(*) into notifications_in_default
  from (select from notify.notifications_default limit 1000) as counted;
  select count(*) into attempts_in_default
  from (select from notify.attempts_default limit 1000) as counted;
  return next;
end
$$;

comment on function notify.vitals() is 'vitals() -> one row';
