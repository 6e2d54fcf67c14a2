-- tend_days(p_limit) -> what was found
--
-- Keep quiet_days true: in a long ledger, look at what past days hold, first at those that have waited longest. A
-- change that the trigger `stir` did not see, because somebody disabled it, is found here.
--
-- Args     p_limit integer, days per call
-- Returns  (action, partition), as tend_day(). No row: there is nothing to do, because the ledger is not long or
--          all days were tended within the last ten minutes
-- Locks    as tend_day(), until the transaction ends
-- Plan     the catalog and quiet_days
-- Caller   LeaderStore.tend_days
create or replace function notify.tend_days(p_limit integer)
returns table (action text, partition text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- Rows whose ids are of the last two days may still be inserted.
  v_last text := to_char((clock_timestamp() at time zone 'utc')::date - 3, 'YYYYMMDD');
  v_day date;
begin
  if not notify.is_long() then
    delete from notify.quiet_days;
    return;
  end if;
  for v_day, partition in
    with days as (
      select to_date(right(c.relname, 8), 'YYYYMMDD') as day
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'notify.notifications'::regclass and c.relname ~ '^notifications_[0-9]{8}$'
        and right(c.relname, 8) <= v_last)
    select day, 'notifications' || to_char(day, '_YYYYMMDD')
    from days d full join notify.quiet_days q using (day)
    where q.tended_at is null or q.tended_at < clock_timestamp() - interval '10 minutes'
      or q.tended_at > clock_timestamp() + interval '10 minutes'        -- by a clock that was ahead
    order by q.tended_at nulls first, day desc
    limit p_limit
  loop
    action := notify.tend_day(v_day);
    return next;
  end loop;
end
$$;

comment on function notify.tend_days(integer) is 'tend_days(p_limit) -> what was found';
