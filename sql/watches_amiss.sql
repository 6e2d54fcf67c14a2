-- watches_amiss() -> one row per fault
--
-- Name watches that tell nothing, or would tell nothing after a restore, and triggers that belong to none.
--
-- Returns  (fault, remedy). No row: all is well
-- Plan     pg_trigger, all of it
-- Caller   Store.faults, when it asks for all
create or replace function notify.watches_amiss() returns table (fault text, remedy text)
language sql stable set search_path = pg_catalog, pg_temp as $$
  select format('trigger %I of %s names no watch of that table, and does nothing', t.name, t.relation),
    format('drop trigger %I on %s', t.name, t.relation)
  from notify.watch_triggers() t
  where not exists (
    select from notify.kept_watches w where w.id::text = t.watch and w.relation = t.relation)
  union all
  select format('the table of watch %s is gone', w.id), format('select notify.off_change(%s)', w.id)
  from notify.kept_watches w
  where not exists (select from pg_class c where c.oid = w.relation)
  union all
  select format('watch %s of %s tells no %s: its trigger is missing or disabled', w.id, w.relation, e.event),
    format('alter table %s enable trigger user; or select notify.off_change(%s), and on_change() again', w.relation, w.id)
  from notify.kept_watches w cross join lateral unnest(w.events || '{open}'::text[]) as e(event)
  where exists (select from pg_class c where c.oid = w.relation)
    and not exists (
      select from notify.watch_triggers() t join pg_trigger g on g.tgrelid = t.relation and g.tgname = t.name
      where t.watch = w.id::text and t.relation = w.relation and g.tgenabled in ('O', 'A')
        and g.tgtype & case e.event when 'open' then 2 when 'insert' then 4 when 'delete' then 8 else 16 end <> 0
        and (e.event = 'open') = (g.tgtype & 2 <> 0))
  union all
  select format('watch %s names column %I of %s, which was renamed or dropped', w.id, k.name, w.relation),
    format('select notify.off_change(%s), and on_change() again: after a restore it would be left out', w.id)
  from notify.kept_watches w cross join lateral unnest(w.columns) as k(name)
  where exists (select from pg_class c where c.oid = w.relation)
    and not exists (select from pg_attribute a where a.attrelid = w.relation and a.attname = k.name and not a.attisdropped)
  union all
  select format('watch %s: %s %s %s: what is done through that is not told', w.id, w.relation,
      case when parent.relkind = 'p' then 'is a partition of' else 'inherits from' end, i.inhparent::regclass),
    case when parent.relkind = 'p'
      then format('watch %s too, by on_change() with the same events, channel and recipient', i.inhparent::regclass)
      else format('change %s by its own name, or alter table %1$s no inherit %s', w.relation, i.inhparent::regclass) end
  from notify.kept_watches w
  join pg_inherits i on i.inhrelid = w.relation
  join pg_class parent on parent.oid = i.inhparent
  where (parent.relkind = 'p' or w.events && '{update,delete}') and not i.inhdetachpending
    and not exists (
    select from notify.kept_watches a
    where (a.channel, a.recipient) = (w.channel, w.recipient) and a.events @> w.events
      and (a.relation = i.inhparent or a.relation <> w.relation and a.relation in (
        select p.relid from pg_partition_ancestors(w.relation) as p(relid))))
  union all
  select 'notify.watch_secret is empty: no watch tells anything', null
  where not exists (select from notify.watch_secret)
$$;

comment on function notify.watches_amiss() is 'watches_amiss() -> one row per fault';
