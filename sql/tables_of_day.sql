-- tables_of_day(p_day) -> one row
--
-- Name the partitions of one day, and how to ask whether they may go. What is detached is not ours, though it has
-- still the name of a day.
--
-- Args     p_day date, in UTC
-- Returns  (rows, tables, holds, fills): rows regclass, that of its notifications (null: it has gone); tables text, both,
--          for a command (null: none is left). Queries that give a boolean: holds, whether a row of it is queued
--          or sending; fills, whether the tables have a row
-- Plan     the catalog
-- Caller   drop_day(), empty_day()
create or replace function notify.tables_of_day(p_day date)
returns table (rows regclass, tables text, holds text, fills text)
language sql stable set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
  select d.rows, d.tables,
    format(
      'select exists (select from %1$s where status = ''queued'' %2$s)
         or exists (select from %1$s where status = ''sending'' %2$s)',
      coalesce(d.rows::text, 'notify.notifications_default'),
      -- Without a partition of theirs, rows of that day are in the default one.
      case when d.rows is null then format('and id >= %L and id < %L',
        notify.id_floor(p_day::timestamp at time zone 'utc'),
        notify.id_floor((p_day + 1)::timestamp at time zone 'utc')) end),
    d.fills
  from (
    select max(i.inhrelid) filter (where c.relname = 'notifications' || s.suffix)::regclass as rows,
      string_agg(i.inhrelid::regclass::text, ', ' order by c.relname desc) as tables,
      'select ' || string_agg(format('exists (select from %s)', i.inhrelid::regclass), ' or ') as fills
    from to_char(p_day, '_YYYYMMDD') as s(suffix), pg_inherits i join pg_class c on c.oid = i.inhrelid
    where (i.inhparent = 'notify.notifications'::regclass and c.relname = 'notifications' || s.suffix
        or i.inhparent = 'notify.attempts'::regclass and c.relname = 'attempts' || s.suffix)
      and not i.inhdetachpending) d
$$;

comment on function notify.tables_of_day(date) is 'tables_of_day(p_day) -> one row';
