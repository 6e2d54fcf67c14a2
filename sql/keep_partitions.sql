-- keep_partitions(p_days_ahead, p_retention) -> what was done
--
-- Make the partitions of the days to come, and drop those whose retention has passed.
--
-- Args     p_days_ahead integer, from today (UTC); p_retention interval
-- Returns  (action, partition): made, dropped, emptied (the drop was busy and comes next time), kept (old,
--          but it still holds queued or sending rows), busy (nothing was done after it: call again)
-- Locks    ACCESS EXCLUSIVE on new, old and default partitions, and on the parents for a drop. It ends
--          with the first wait of 200 ms, so that nobody waits longer behind it.
-- Note     CREATE … PARTITION OF and a bare DROP would wait behind one open producer, and every later
--          INSERT behind them: hence LIKE + ATTACH, and TRUNCATE before DROP.
--          Days that went by without a partition get it late, if the default partition has their rows.
-- Caller   Store.keep_partitions; the migration that deploys sql/
create or replace function notify.keep_partitions(p_days_ahead integer, p_retention interval)
returns table (action text, partition text)
language plpgsql set lock_timeout = '200ms' as $$
declare
  v_today date := (clock_timestamp() at time zone 'utc')::date;
  v_oldest date := ((clock_timestamp() - p_retention) at time zone 'utc')::date;
  v_floor uuid := notify.id_floor(v_oldest::timestamp at time zone 'utc');
  v_day date;
  v_table text;
  v_key text;
  v_from uuid;
  v_to uuid;
  v_both text;
begin
  for v_day in
    select day::date from generate_series(v_today, v_today + p_days_ahead, interval '1 day') as day
    union
    select (to_timestamp(('x' || left(translate(n.id::text, '-', ''), 12))::bit(48)::bigint / 1000)
      at time zone 'utc')::date
    from notify.notifications_default n
    where n.id >= v_floor and n.id < notify.id_floor(v_today::timestamp at time zone 'utc')
    order by day
  loop
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
      if action = 'busy' then
        return;
      end if;
    end loop;
  end loop;

  for v_day in
    select to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'notify.notifications'::regclass and c.relname ~ '_[0-9]{8}$'
      and to_date(right(c.relname, 8), 'YYYYMMDD') < v_oldest
    order by day
  loop
    action := null;
    partition := 'notifications' || to_char(v_day, '_YYYYMMDD');
    v_both := concat_ws(', ', to_regclass('notify.attempts' || to_char(v_day, '_YYYYMMDD')),
      'notify.' || partition);
    begin
      execute format('lock table notify.%I in access exclusive mode', partition);
      execute format(
        'select ''kept'' from notify.%I where status in (''queued'', ''sending'') limit 1', partition)
        into action;
      if action is null then
        execute 'truncate ' || v_both;
        action := 'emptied';
      end if;
    exception when lock_not_available then
      action := 'busy';
    end;
    if action = 'emptied' then
      begin
        execute 'drop table ' || v_both;
        action := 'dropped';
      exception when lock_not_available then
        null;
      end;
    end if;
    return next;
    if action in ('busy', 'emptied') then
      return;
    end if;
  end loop;

  -- What is older still came into the default partitions, and goes row by row.
  delete from notify.notifications_default n where n.id < v_floor and n.settled_at is not null;
  delete from notify.attempts_default a
  where a.notification_id < v_floor
    and not exists (select from notify.notifications n where n.id = a.notification_id);
end
$$;

comment on function notify.keep_partitions(integer, interval) is
  'keep_partitions(p_days_ahead, p_retention) -> what was done';
