-- drop_day(p_day) -> what was done
--
-- Drop the partitions of one day, unless it still holds queued or sending rows. What is detached is not ours: it stays.
--
-- Args     p_day date, in UTC
-- Returns  dropped; kept: it holds such rows; emptied: somebody uses the parents for long, so its rows are gone
--          and the drop comes next time; empty: they went before, and somebody uses the parents still; busy: somebody
--          uses the day itself for long; failed: a warning says why, such as a view on it, or row security that hides
--          its rows
-- Locks    ACCESS EXCLUSIVE on both parents, then on the day. The other order could deadlock: others hold a
--          parent while they wait for the day. It does not wait for the lock on the day, because meanwhile
--          everybody would wait for the parents. It tries three times, for up to 50, 100 and 200 ms, and
--          pauses after each try, so that the others can go on. For a day without rows it looks first whether
--          somebody holds a parent for longer than all that: each minute's tries would stop everybody for nothing
-- Note     It waits for an autovacuum of the day in the lock mode of a vacuum, which stops nobody else: the
--          server ends that autovacuum after deadlock_timeout, unless it works against wraparound.
-- Plan     notifications_due, notifications_leased of that day: the day may have millions of settled rows
-- Caller   drop_days()
create or replace function notify.drop_day(p_day date) returns text
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '50ms'
set enable_seqscan = off set enable_bitmapscan = off set jit = off set row_security = off as $$
declare
  v_name constant text := to_char(p_day, '"notifications_"YYYYMMDD');
  v_rows regclass;
  v_both text;
  v_holds text;
  v_fills text;
  v_has_rows boolean;
  v_is_held boolean;
begin
  select d.rows, d.tables, d.holds, d.fills into v_rows, v_both, v_holds, v_fills from notify.tables_of_day(p_day) d;
  if v_both is null then
    return 'dropped';                       -- somebody else did so
  end if;
  execute v_holds into v_is_held;
  if v_is_held then
    return 'kept';
  end if;
  execute v_fills into v_has_rows;
  if not v_has_rows and notify.parents_are_held('400 ms') then
    return 'empty';
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

  return notify.empty_day(p_day);
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
