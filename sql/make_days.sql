-- make_days(p_days_ahead, p_retention) -> what was done
--
-- Make the partitions of the days to come. Also make those of past days that have none, if the default partition
-- has rows of them.
--
-- Args     p_days_ahead integer, from today (UTC); p_retention interval, how old a day may be
-- Returns  (action, partition), as make_day(). If the last row is busy: call again
-- Locks    as make_day()
-- Note     A call is bounded: it makes at most ten past days, and no more once it has moved 25000 rows. The next
--          call makes the rest.
-- Caller   LeaderStore.make_days, keep_partitions()
create or replace function notify.make_days(p_days_ahead integer, p_retention interval)
returns table (action text, partition text)
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
  v_late_max constant integer := 10;
  v_rows_max constant integer := 25000;
  v_today date := (clock_timestamp() at time zone 'utc')::date;
  v_days date[] := array(select v_today + n from generate_series(0, p_days_ahead) as n);
  v_day date;
  v_next date := ((clock_timestamp() - p_retention) at time zone 'utc')::date;
  v_moved bigint;
  v_total bigint := 0;
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
end
$$;

comment on function notify.make_days(integer, interval) is
  'make_days(p_days_ahead, p_retention) -> what was done';
