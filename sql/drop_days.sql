-- drop_days(p_retention, p_limit) -> what was done
--
-- Drop the days whose retention has passed, the oldest first.
--
-- Args     p_retention interval; p_limit integer, the most days to drop, or to empty
-- Returns  (action, partition), as drop_day(); an attempts_… is all that is left of its day. If one is busy, emptied or
--          empty: call again soon
-- Locks    as drop_day(), until the transaction ends. So that nobody waits long: several calls with a limit of 1
-- Note     After one for which somebody was in the way the others are emptied, for which nobody else waits: one
--          transaction that is forgotten would keep the rows of all. Those that are empty are passed over then. It also
--          stops after ten days with which nothing could be done.
-- Caller   LeaderStore.drop_days, keep_partitions()
create or replace function notify.drop_days(p_retention interval, p_limit integer)
returns table (action text, partition text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_oldest date := ((clock_timestamp() - p_retention) at time zone 'utc')::date;
  v_done integer := 0;
  v_failed integer := 0;
  v_is_refused boolean := false;
  v_day date;
  v_is_empty boolean;
begin
  for v_day, partition, v_is_empty in
    select to_date(right(c.relname, 8), 'YYYYMMDD'), max(c.relname::text collate "C"), max(pg_relation_size(c.oid)) = 0
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('notify.notifications'::regclass, 'notify.attempts'::regclass) and not i.inhdetachpending
      and c.relname ~ '^(notifications|attempts)_[0-9]{8}$' and right(c.relname, 8) < to_char(v_oldest, 'YYYYMMDD')
    group by right(c.relname, 8)
    order by right(c.relname, 8)
  loop
    continue when v_is_refused and v_is_empty;
    action := case when v_is_refused then notify.empty_day(v_day) else notify.drop_day(v_day) end;
    return next;
    v_is_refused := v_is_refused or action in ('busy', 'emptied', 'empty');
    v_done := v_done + (action in ('dropped', 'emptied'))::integer;
    v_failed := v_failed + (action in ('failed', 'busy'))::integer;
    exit when v_done >= p_limit or v_failed >= 10;
  end loop;
end
$$;

comment on function notify.drop_days(interval, integer) is 'drop_days(p_retention, p_limit) -> what was done';
