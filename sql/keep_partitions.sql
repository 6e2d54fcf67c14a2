-- keep_partitions(p_days_ahead, p_retention) -> what was done
--
-- Make the partitions of the days to come, and drop those whose retention has passed.
--
-- Args     p_days_ahead integer, from today (UTC); p_retention interval
-- Returns  (action, partition): made, dropped, emptied (the drop was busy and comes next time), kept (old,
--          but it still holds queued or sending rows), busy (nothing was done after it: call again), failed
--          (a warning says why, such as a view on it; the others go on), crowded (the default partition has more rows of that day
--          than are moved in time: they are as good there, and go row by row when they are old)
-- Locks    ACCESS EXCLUSIVE on new, old and default partitions, and on the parents for a drop. It ends
--          with the first wait of 200 ms, so that nobody waits longer behind it.
-- Note     A bare DROP would wait behind one open producer, and every later INSERT behind it: hence TRUNCATE
--          before DROP. Days that went by without a partition get it late, if the default partition has
--          their rows. Whatever ids there are, a call is bounded: ten such days, until 25000 rows have
--          been moved, and 25000 old rows of each table. What is left comes with the next one.
-- Caller   Store.keep_partitions; the migration that deploys sql/
create or replace function notify.keep_partitions(p_days_ahead integer, p_retention interval)
returns table (action text, partition text)
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
  v_late_max constant integer := 10;
  v_rows_max constant integer := 25000;
  v_today date := (clock_timestamp() at time zone 'utc')::date;
  v_oldest date := ((clock_timestamp() - p_retention) at time zone 'utc')::date;
  v_floor uuid := notify.id_floor(v_oldest::timestamp at time zone 'utc');
  v_days date[] := array(select v_today + n from generate_series(0, p_days_ahead) as n);
  v_day date;
  v_next date := v_oldest;
  v_moved bigint;
  v_total bigint := 0;
  v_both text;
begin
  for v_n in 1 .. v_late_max loop
    select (to_timestamp(('x' || left(translate(n.id::text, '-', ''), 12))::bit(48)::bigint / 1000)
      at time zone 'utc')::date + 1 into v_next
    from notify.notifications_default n
    where n.id >= notify.id_floor(v_next::timestamp at time zone 'utc')
      and n.id < notify.id_floor(v_today::timestamp at time zone 'utc')
    order by n.id
    limit 1;
    exit when not found;
    v_days := v_days || (v_next - 1);
  end loop;

  foreach v_day in array v_days loop
    exit when v_day < v_today and v_total >= v_rows_max;
    for action, partition, v_moved in select * from notify.make_day(v_day, v_rows_max) loop
      return next;
      v_total := v_total + v_moved;
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
    exception
      when lock_not_available then
        action := 'busy';
      when others then
        raise warning 'notify.% is not emptied: %', partition, sqlerrm;
        action := 'failed';
    end;
    if action = 'emptied' then
      begin
        execute 'drop table ' || v_both;
        action := 'dropped';
      exception
        when lock_not_available then
          null;
        when others then
          raise warning 'notify.% is not dropped: %', partition, sqlerrm;
          action := 'failed';
      end;
    end if;
    return next;
    if action in ('busy', 'emptied') then
      return;
    end if;
  end loop;

  -- What is older still came into the default partitions, and goes row by row.
  begin
    delete from notify.notifications_default
    where id = any (array(
      select n.id from notify.notifications_default n
      where n.id < v_floor and n.settled_at is not null
      limit v_rows_max));
    delete from notify.attempts_default
    where ctid = any (array(
      select a.ctid from notify.attempts_default a
      where a.notification_id < v_floor
        and not exists (select from notify.notifications n where n.id = a.notification_id)
      limit v_rows_max));
  exception when others then
    raise warning 'old rows of notify.notifications_default are not deleted: %', sqlerrm;
    action := 'failed';
    partition := 'notifications_default';
    return next;
  end;
end
$$;

comment on function notify.keep_partitions(integer, interval) is
  'keep_partitions(p_days_ahead, p_retention) -> what was done';
