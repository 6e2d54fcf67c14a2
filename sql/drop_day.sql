-- drop_day(p_day) -> what was done
--
-- Drop the partitions of one day, unless it still holds queued or sending rows. What is detached is not ours: it stays.
--
-- Args     p_day date, in UTC
-- Returns  dropped; kept: it holds such rows; emptied: somebody uses the parents for long, so its rows are gone
--          and the drop comes next time; busy: somebody uses the day itself for long; failed: a warning says
--          why, such as a view on it, or row security that hides its rows
-- Locks    ACCESS EXCLUSIVE on both parents, then on the day. The other order could deadlock: others hold a
--          parent while they wait for the day. It does not wait for the lock on the day, because meanwhile
--          everybody would wait for the parents. It tries three times, for up to 50, 100 and 200 ms, and
--          pauses after each try, so that the others can go on
-- Note     It waits for an autovacuum of the day in the lock mode of a vacuum, which stops nobody else: the
--          server ends that autovacuum after deadlock_timeout, unless it works against wraparound.
-- Plan     notifications_due, notifications_leased of that day: the day may have millions of settled rows
-- Caller   drop_days()
create or replace function notify.drop_day(p_day date) returns text
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '50ms'
set enable_seqscan = off set enable_bitmapscan = off set jit = off set row_security = off as $$
declare
  v_suffix constant text := to_char(p_day, '_YYYYMMDD');
  v_name constant text := 'notifications' || v_suffix;
  v_rows regclass;
  v_both text;
  v_holds text;
  v_is_held boolean;
begin
  -- What somebody detached to keep it has still the name of a day.
  select max(i.inhrelid) filter (where c.relname = v_name),
    string_agg(i.inhrelid::regclass::text, ', ' order by c.relname desc)
  into v_rows, v_both
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where (i.inhparent = 'notify.notifications'::regclass and c.relname = v_name
      or i.inhparent = 'notify.attempts'::regclass and c.relname = 'attempts' || v_suffix)
    and not i.inhdetachpending;
  if v_both is null then
    return 'dropped';                       -- somebody else did so
  end if;
  v_holds := format(
    'select exists (select from %1$s where status = ''queued'' %2$s)
       or exists (select from %1$s where status = ''sending'' %2$s)',
    coalesce(v_rows::text, 'notify.notifications_default'),
    -- Without a partition of theirs, rows of that day are in the default one.
    case when v_rows is null then format('and id >= %L and id < %L',
      notify.id_floor(p_day::timestamp at time zone 'utc'),
      notify.id_floor((p_day + 1)::timestamp at time zone 'utc')) end);
  execute v_holds into v_is_held;
  if v_is_held then
    return 'kept';
  end if;
  for v_try in 1 .. 3 loop
    perform set_config('lock_timeout', format('%sms', 25 * 2 ^ v_try), true);
    begin
      lock table only notify.notifications, only notify.attempts in access exclusive mode;
      begin
        execute 'lock table ' || v_both || ' in access exclusive mode nowait';
      exception when lock_not_available then
        raise exception using errcode = 'object_in_use';
      end;
      execute v_holds into v_is_held;
      if v_is_held then
        return 'kept';
      end if;
      execute 'drop table ' || v_both;
      delete from notify.quiet_days q where q.day = p_day;
      return 'dropped';
    exception
      when lock_not_available then
        perform pg_sleep(0.1);
      when object_in_use then
        begin
          perform set_config('lock_timeout', '1200ms', true);
          execute 'lock table ' || v_both || ' in share update exclusive mode';
        exception when lock_not_available then
          return 'busy';
        end;
      when others or assert_failure then
        raise warning 'notify.% is not dropped: %', v_name, sqlerrm;
        return 'failed';
    end;
  end loop;

  begin
    perform set_config('lock_timeout', '50ms', true);
    execute 'lock table ' || v_both || ' in access exclusive mode';
    execute v_holds into v_is_held;
    if v_is_held then
      return 'kept';
    end if;
    execute 'truncate ' || v_both;
    return 'emptied';
  exception
    when lock_not_available then
      return 'busy';
    when others or assert_failure then
      raise warning 'notify.% is not emptied: %', v_name, sqlerrm;
      return 'failed';
  end;
exception
  when others or assert_failure then
    if sqlstate = '42P01' and v_rows is not null and not exists (select from pg_inherits i where i.inhrelid = v_rows) then
      return 'dropped';                     -- somebody else did so just now
    end if;
    raise warning 'notify.% is not dropped: %', v_name, sqlerrm;
    return 'failed';
end
$$;

comment on function notify.drop_day(date) is 'drop_day(p_day) -> what was done';
