-- maintenance(p_days_ahead, p_retention, p_limit) -> what is not done
--
-- Return which days are missing ahead, and which are still there after their retention. It also answers where no
-- dispatcher runs, or none can make or drop days. It writes nothing.
--
-- Args     p_days_ahead integer, after today (UTC); p_retention interval; p_limit integer, rows of each kind
-- Returns  (step, partition, cause): step make_days or drop_days; cause: what keeps the day, which is an object
--          that depends on it, its rows, its owner, or row security; null: not known
-- Plan     the catalog; notifications_due, notifications_leased of the days that it names
-- Caller   DoctorStore.maintenance
create or replace function notify.maintenance(p_days_ahead integer, p_retention interval, p_limit integer)
returns table (step text, partition text, cause text)
language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set jit = off
set row_security = off as $$
declare
  v_today date := (clock_timestamp() at time zone 'utc')::date;
  v_oldest date := ((clock_timestamp() - p_retention) at time zone 'utc')::date;
  v_table oid;
  v_owner text;
  v_holds boolean;
begin
  return query
  select 'make_days', wanted.name, null
  from generate_series(0, p_days_ahead) as n
  cross join unnest('{notifications,attempts}'::text[]) as t
  cross join lateral (select t || to_char(v_today + n, '_YYYYMMDD') as name) wanted
  where not exists (
    select from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = to_regclass('notify.' || t) and c.relname = wanted.name)
  order by n, t desc
  limit p_limit;

  step := 'drop_days';
  for v_table, partition, v_owner in
    select distinct on (right(c.relname, 8)) c.oid, c.relname, nullif(pg_get_userbyid(c.relowner), pg_get_userbyid(p.relowner))
    from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
    where i.inhparent in ('notify.notifications'::regclass, 'notify.attempts'::regclass) and not i.inhdetachpending
      and c.relname ~ '^(notifications|attempts)_[0-9]{8}$' and right(c.relname, 8) < to_char(v_oldest, 'YYYYMMDD')
    order by right(c.relname, 8), c.relname desc
    limit p_limit
  loop
    cause := coalesce(
      (select string_agg(distinct pg_describe_object(d.classid, d.objid, d.objsubid), ', ')
        from pg_depend d
        where d.refclassid = 'pg_class'::regclass and d.refobjid = v_table and d.deptype = 'n'
          and (d.classid = 'pg_rewrite'::regclass or d.objid in (
            select k.oid from pg_constraint k where k.contype = 'f' and k.confrelid = v_table))),
      'it belongs to ' || v_owner,
      case when row_security_active(v_table) then 'row security hides its rows' end);
    if cause is null and partition like 'notifications%' then
      execute format(
        'select exists (select from notify.%1$I where status = ''queued'')
           or exists (select from notify.%1$I where status = ''sending'')', partition) into v_holds;
      cause := case when v_holds then 'it holds queued or sending rows' end;
    end if;
    return next;
  end loop;
end
$$;

comment on function notify.maintenance(integer, interval, integer) is
  'maintenance(p_days_ahead, p_retention, p_limit) -> what is not done';
