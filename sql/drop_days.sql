-- drop_days(p_retention, p_limit) -> what was done
--
-- Drop the days whose retention has passed, the oldest first.
--
-- Args     p_retention interval; p_limit integer, the most days to drop
-- Returns  (action, partition), as drop_day(); an attempts_… is all that is left of its day. If the last row is busy or
--          emptied: call again soon
-- Locks    as drop_day(), until the transaction ends. So that nobody waits long: several calls with a limit of 1
-- Note     It also stops after ten days that could not be dropped.
-- Caller   LeaderStore.drop_days, keep_partitions()
create or replace function notify.drop_days(p_retention interval, p_limit integer)
returns table (action text, partition text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_oldest date := ((clock_timestamp() - p_retention) at time zone 'utc')::date;
  v_dropped integer := 0;
  v_failed integer := 0;
  v_day date;
begin
  for v_day, partition in
    select to_date(right(c.relname, 8), 'YYYYMMDD'), max(c.relname::text collate "C")
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('notify.notifications'::regclass, 'notify.attempts'::regclass) and not i.inhdetachpending
      and c.relname ~ '^(notifications|attempts)_[0-9]{8}$' and right(c.relname, 8) < to_char(v_oldest, 'YYYYMMDD')
    group by right(c.relname, 8)
    order by right(c.relname, 8)
  loop
    action := notify.drop_day(v_day);
    return next;
    v_dropped := v_dropped + (action = 'dropped')::integer;
    v_failed := v_failed + (action = 'failed')::integer;
    exit when v_dropped >= p_limit or v_failed >= 10 or action in ('busy', 'emptied');
  end loop;
end
$$;

comment on function notify.drop_days(interval, integer) is 'drop_days(p_retention, p_limit) -> what was done';
