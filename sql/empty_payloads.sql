-- empty_payloads(p_age, p_limit) -> one row, if a day is due
--
-- Take the payload out of notifications that ended longer ago than p_age: the next rows of the day that is due for it, the
-- oldest first. A day is due when its last moment is that long ago. It is walked once; if rows were left in it,
-- which had not ended, or not long enough ago, it is walked again a day later.
--
-- Args     p_age interval; p_limit integer, rows to look at
-- Returns  (partition, emptied, is_done, total, left_over, took): how many rows this call emptied; whether it came to
--          the end of the day. Since the first call of this day: how many were emptied, and how long it took in
--          all. In this walk: how many could not be yet
-- Locks    the day's row of emptied_days, so that two callers do not do the same; the rows, in the order of their
--          ids, skipping what is locked
-- Plan     primary key of the day, from the place where the last call ended
-- Note     Rows of the default partition are the day -infinity, which is walked each day. A day that is done is
--          never read again, unless its walk is of a time to come. An UPDATE of each row leaves a dead one:
--          ops/RUNBOOK.md says what that costs
-- Caller   LeaderStore.empty_payloads
create or replace function notify.empty_payloads(p_age interval, p_limit integer)
returns table (partition text, emptied integer, is_done boolean, total bigint, left_over bigint, took interval)
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set jit = off set row_security = off as $$
#variable_conflict use_column
declare
  v_begun timestamptz := clock_timestamp();
  v_before timestamptz := v_begun - p_age;
  v_least constant uuid := '00000000-0000-0000-0000-000000000000';
  v_day date;
  v_after uuid;
  v_last uuid;
  v_looked integer;
  v_full integer;
  v_ids uuid[];
begin
  select d.day, d.name into v_day, partition
  from (
    select case when c.relname ~ '_[0-9]{8}$' then to_date(right(c.relname, 8), 'YYYYMMDD') else '-infinity' end as day,
      c.relname::text as name
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'notify.notifications'::regclass and c.relname ~ '^notifications_([0-9]{8}|default)$'
      and not row_security_active(c.oid)) d       -- faults() names it; the other days go on
  left join notify.emptied_days e using (day)
  where d.day + 1 <= (v_before at time zone 'utc')::date
    and (e.day is null or e.following is not null
      or e.looked_at > v_begun + interval '5 seconds'   -- a clock that was ahead found it done when it had hardly begun
      or e.looked_at < v_begun - interval '1 day' and (e.left_over > 0 or d.day = '-infinity'))
  order by e.following is null, d.day
  limit 1;
  if not found then
    delete from notify.emptied_days e
    where e.day > '-infinity' and to_regclass('notify.notifications' || to_char(e.day, '_YYYYMMDD')) is null;
    return;
  end if;
  insert into notify.emptied_days (day, emptied, left_over, took, looked_at) values (v_day, 0, 0, '0', v_begun)
  on conflict do nothing;
  select coalesce(e.following, v_least), e.emptied, e.took, case when e.following is null then 0 else e.left_over end
  into v_after, total, took, left_over
  from notify.emptied_days e where e.day = v_day
  for update;

  execute format(
    'with looked as materialized (
       select n.id, n.settled_at, n.emptied_at from notify.%1$I n where n.id > $1 order by n.id limit $2)
     select (select l.id from looked l order by l.id desc limit 1), (select count(*) from looked),
       (select count(*) from looked l where l.emptied_at is null), array(
         select n.id from notify.%1$I n
         where n.id = any (array(select l.id from looked l where l.emptied_at is null and l.settled_at < $3))
           and n.emptied_at is null and n.settled_at < $3
         order by n.id
         for update skip locked)', partition)
  into v_last, v_looked, v_full, v_ids using v_after, p_limit, v_before;
  select b.notifications into emptied from notify.blank(v_ids, false, clock_timestamp() + interval '1 second') b;
  is_done := v_looked < p_limit;
  total := total + emptied;
  left_over := left_over + v_full - emptied;
  took := took + (clock_timestamp() - v_begun);
  update notify.emptied_days e set following = case when not is_done then v_last end, emptied = total,
    left_over = empty_payloads.left_over, took = empty_payloads.took, looked_at = v_begun
  where e.day = v_day;
  return next;
end
$$;

comment on function notify.empty_payloads(interval, integer) is
  'empty_payloads(p_age, p_limit) -> one row, if a day is due';
