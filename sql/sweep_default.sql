-- sweep_default(p_retention, p_limit) -> what was not done
--
-- Delete what is older than the retention from the default partitions, row by row: these rows came too late for
-- a partition of their day.
--
-- Args     p_retention interval; p_limit integer, rows of each table per call
-- Returns  (action, partition): failed, and a warning says why. No row: all is well
-- Locks    the rows
-- Plan     primary keys; for each attempt its notification is looked up by itself, in the partition of its day
-- Caller   LeaderStore.sweep_default, keep_partitions()
create or replace function notify.sweep_default(p_retention interval, p_limit integer)
returns table (action text, partition text)
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '200ms'
set plan_cache_mode = force_custom_plan set enable_seqscan = off set jit = off as $$
declare
  v_oldest date := ((clock_timestamp() - p_retention) at time zone 'utc')::date;
  v_floor uuid := notify.id_floor(v_oldest::timestamp at time zone 'utc');
  v_id uuid := '00000000-0000-0000-0000-000000000000';
  v_ends timestamptz := clock_timestamp() + interval '1 second';
begin
  delete from notify.notifications_default
  where id = any (array(
    select n.id from notify.notifications_default n
    where n.id < v_floor and n.settled_at is not null
    limit p_limit));
  for v_n in 1 .. p_limit loop
    select a.notification_id into v_id from notify.attempts_default a
    where a.notification_id > v_id and a.notification_id < v_floor
    order by a.notification_id
    limit 1;
    exit when not found or clock_timestamp() > v_ends;
    if not exists (select from notify.notifications n where n.id = v_id) then
      delete from notify.attempts_default a where a.notification_id = v_id;
    end if;
  end loop;
exception when others or assert_failure then
  raise warning 'old rows of notify.notifications_default are not deleted: %', sqlerrm;
  action := 'failed';
  partition := 'notifications_default';
  return next;
end
$$;

comment on function notify.sweep_default(interval, integer) is
  'sweep_default(p_retention, p_limit) -> what was not done';
