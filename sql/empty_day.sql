-- empty_day(p_day) -> what was done
--
-- Empty the partitions of one day, unless it still holds queued or sending rows: where the drop must wait for somebody
-- who uses the parents, what is kept no longer goes nevertheless.
--
-- Args     p_day date, in UTC
-- Returns  emptied; empty: it was before; kept: it holds such rows; busy: somebody uses the day itself; failed: a
--          warning says why; dropped: by somebody else
-- Locks    ACCESS EXCLUSIVE on the day, never on a parent; it waits for that for 50 ms. An empty one: none of these
-- Plan     notifications_due, notifications_leased of that day
-- Caller   drop_day(), drop_days()
create or replace function notify.empty_day(p_day date) returns text
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '50ms'
set enable_seqscan = off set enable_bitmapscan = off set jit = off set row_security = off as $$
declare
  v_tables text;
  v_holds text;
  v_fills text;
  v_is_so boolean;
begin
  select d.tables, d.holds, d.fills into v_tables, v_holds, v_fills from notify.tables_of_day(p_day) d;
  if v_tables is null then
    return 'dropped';
  end if;
  execute v_fills into v_is_so;
  if not v_is_so then
    return 'empty';
  end if;
  execute v_holds into v_is_so;
  if v_is_so then
    return 'kept';                          -- and nobody waited for the lock
  end if;
  execute 'lock table ' || v_tables || ' in access exclusive mode';
  execute v_holds into v_is_so;
  if v_is_so then
    return 'kept';
  end if;
  execute 'truncate ' || v_tables;
  return 'emptied';
exception
  when lock_not_available then
    return 'busy';
  when others or assert_failure then
    raise warning 'notify.% is not emptied: %', to_char(p_day, '"notifications_"YYYYMMDD'), sqlerrm;
    return 'failed';
end
$$;

comment on function notify.empty_day(date) is 'empty_day(p_day) -> what was done';
