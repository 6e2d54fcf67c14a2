-- tend_day(p_day) -> what was found
--
-- Look at what one past day holds, and write it into quiet_days.
--
-- Args     p_day date, in UTC
-- Returns  quiet: nothing is being sent, and nothing falls due within the hour; awake; gone: it has no partition;
--          busy: somebody writes to it; failed: a warning says why. Each look at the ledger goes through all
--          days that are not quiet
-- Locks    SHARE ROW EXCLUSIVE on the day, which it waits 50 ms for at most: nobody can write to the day between
--          the look and the row of quiet_days; readers are not stopped
-- Plan     notifications_due, notifications_leased of that day
-- Caller   tend_days()
create or replace function notify.tend_day(p_day date) returns text
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '50ms'
set enable_seqscan = off set enable_bitmapscan = off set jit = off set row_security = off as $$
declare
  v_suffix text := to_char(p_day, '_YYYYMMDD');
  v_name text := 'notifications' || v_suffix;
  v_table regclass := to_regclass('notify.' || v_name);
  v_count_max constant integer := 100000;
  v_until timestamptz;
  v_queued bigint := 0;
begin
  if v_table is null then
    delete from notify.quiet_days q where q.day = p_day;
    return 'gone';
  end if;
  execute format('lock table only notify.%I in share row exclusive mode', v_name);
  if not exists (
    select from pg_trigger t where t.tgrelid = v_table and t.tgfoid = 'notify.stir'::regproc
      and t.tgenabled = 'A')
  then
    execute format(
      'create or replace trigger stir after insert or update on notify.%I for each row
         when (new.status = ''queued'' or new.status = ''sending'') execute function notify.stir()', v_name);
    execute format('alter table notify.%I enable always trigger stir', v_name);
  end if;
  execute format(
    'select case when exists (select from notify.%1$I where status = ''sending'') then ''-infinity''
       else least(''infinity'', (
         select min(head.due_at) from unnest(''{0,1,2,3}''::smallint[]) as lane
         cross join lateral (
           select n.due_at from notify.%1$I n where n.status = ''queued'' and n.priority = lane
           order by n.due_at limit 1) head)) end', v_name) into v_until;
  if v_until < clock_timestamp() + interval '1 hour' then
    v_until := '-infinity';
  elsif v_until < 'infinity' then
    execute format(
      'select count(*) from (select from notify.%I where status = ''queued'' limit %s) as counted', v_name,
      v_count_max) into v_queued;
  end if;
  insert into notify.quiet_days as q
  values (p_day, v_until, v_queued, pg_total_relation_size(v_table),
    coalesce(pg_total_relation_size(to_regclass('notify.attempts' || v_suffix)), 0), clock_timestamp())
  on conflict (day) do update set until = excluded.until, queued = excluded.queued,
    notifications_bytes = excluded.notifications_bytes, attempts_bytes = excluded.attempts_bytes,
    tended_at = excluded.tended_at;
  return case when v_until = '-infinity' then 'awake' else 'quiet' end;
exception
  when lock_not_available then
    return 'busy';
  when others or assert_failure then
    raise warning 'notify.% is not tended: %', v_name, sqlerrm;
    begin
      delete from notify.quiet_days q where q.day = p_day;
    exception when others or assert_failure then
      null;                                 -- reported above
    end;
    return 'failed';
end
$$;

comment on function notify.tend_day(date) is 'tend_day(p_day) -> what was found';
