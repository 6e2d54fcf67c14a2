-- keep_partitions(p_days_ahead, p_retention) -> what was done
--
-- Make the partitions of the days to come, and drop those whose retention has passed.
--
-- Args     p_days_ahead integer, from today (UTC); p_retention interval
-- Returns  (action, partition): made, dropped, emptied (the drop was busy and comes next time), busy, kept
--          (old, but it still holds queued or sending rows)
-- Locks    ACCESS EXCLUSIVE on one new, old or default partition at a time; never waits more than 200 ms
-- Note     CREATE … PARTITION OF and a bare DROP would wait behind one open producer, and every later
--          INSERT behind them: hence LIKE + ATTACH, and TRUNCATE before DROP.
-- Caller   Store.keep_partitions; the migration that deploys sql/
create or replace function notify.keep_partitions(p_days_ahead integer, p_retention interval)
returns table (action text, partition text)
language plpgsql set lock_timeout = '200ms' as $$
declare
  v_today date := (clock_timestamp() at time zone 'utc')::date;
  v_day date;
  v_table text;
  v_key text;
  v_from uuid;
  v_to uuid;
begin
  for v_day in select d::date from generate_series(v_today, v_today + p_days_ahead, interval '1 day') d loop
    v_from := notify.id_floor(v_day::timestamp at time zone 'utc');
    v_to := notify.id_floor((v_day + 1)::timestamp at time zone 'utc');
    for v_table, v_key in values ('notifications', 'id'), ('attempts', 'notification_id') loop
      partition := v_table || to_char(v_day, '_YYYYMMDD');
      continue when to_regclass('notify.' || partition) is not null;
      begin
        -- Autovacuum: every notification leaves two dead rows on its own day's partition, so it works
        -- early and unthrottled; the other days cost it nothing.
        execute format(
          'create table notify.%I (like notify.%I including defaults including constraints
             including generated) with (autovacuum_vacuum_scale_factor = 0.02,
             autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
             autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.05)',
          partition, v_table);
        execute format(
          'with moved as (delete from notify.%I where %I >= %L and %I < %L returning *)
             insert into notify.%I select * from moved',
          v_table || '_default', v_key, v_from, v_key, v_to, partition);
        execute format('alter table notify.%I attach partition notify.%I for values from (%L) to (%L)',
          v_table, partition, v_from, v_to);
        action := 'made';
      exception when lock_not_available then
        action := 'busy';
      end;
      return next;
    end loop;
  end loop;

  for v_day in
    select to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'notify.notifications'::regclass and c.relname ~ '_[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= (clock_timestamp() - p_retention) at time zone 'utc'
    order by day
  loop
    action := null;
    partition := 'notifications' || to_char(v_day, '_YYYYMMDD');
    begin
      execute format('lock table notify.%I in access exclusive mode', partition);
      execute format(
        'select ''kept'' from notify.%I where status in (''queued'', ''sending'') limit 1', partition)
        into action;
      if action is null then
        execute format('truncate notify.%I, notify.%I', partition, 'attempts' || to_char(v_day, '_YYYYMMDD'));
        action := 'emptied';
      end if;
    exception when lock_not_available then
      action := 'busy';
    end;
    if action = 'emptied' then
      begin
        execute format('drop table notify.%I', 'attempts' || to_char(v_day, '_YYYYMMDD'));
        execute format('drop table notify.%I', partition);
        action := 'dropped';
      exception when lock_not_available then
        null;
      end;
    end if;
    return next;
  end loop;
end
$$;

comment on function notify.keep_partitions(integer, interval) is
  'keep_partitions(p_days_ahead, p_retention) -> what was done';
