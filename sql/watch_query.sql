-- watch_query(p_table, p_event, p_names, p_columns, p_condition, p_reference) -> text
--
-- Write the query that makes the payloads of one statement's changes from its transition tables old_rows and new_rows.
--
-- Args     p_table regclass; p_event text: insert, update or delete; p_names text[]: what the columns were called when
--          the watch was made, by attnum (null: not to be used); p_columns text[] (null: all); p_condition text,
--          p_reference text: expressions over old and new (null: none)
-- Returns  a query of (payload, reference), $1 is what the payload says of the table, $2 of the time
-- Raises   42703: the column that is the reference was dropped; 55000: the table has no primary key of btree, or one that is initially deferred, or it has heirs
-- Note     old and new are paired by the primary key as it is now. Where a foreign key may change a row, PostgreSQL gives
--          all that cascades have done to the table in one statement as one pair of transition tables, in the order in
--          which it was done: there the nth old row of a key belongs to its nth new one. A name that the table no longer has means the column
--          that had it when the watch was made. An update that leaves the chosen columns as they were, byte by byte,
--          is left out. Columns are bound by name to the rows, and the planner flattens the inner selects
--          An operator whose schema is closed to the caller cannot be named: record_eq finds it by the type
--          The reference stands within CASE, in which PostgreSQL takes no function that returns a set: rows would multiply
-- Plan     a hash join of the two transition tables, planned anew for each statement with their real sizes; a merge join
--          where the key's operator is closed to the caller, or a foreign key may change rows
-- Caller   watched(), on_change(), with the rights of whoever calls
create or replace function notify.watch_query(
  p_table regclass, p_event text, p_names text[], p_columns text[], p_condition text, p_reference text)
returns text
language plpgsql stable set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on set quote_all_identifiers = off as $$
declare
  v_aliases text;
  v_olds text;
  v_news text;
  v_old text;
  v_new text;
  v_pairs text;
  v_key text;
  v_suffix text;                            -- of two names that no column has
  v_old_is_there text;
  v_new_is_there text;
  v_reference text;
  v_from text;
begin
  with now as (
    select a.attnum, a.attname::text as name, a.attgenerated from pg_attribute a
    where a.attrelid = p_table and a.attnum > 0 and not a.attisdropped
  ), aliased as (
    select n.*, case when n.attgenerated = 'v' then format('notify virtual %s', n.attnum)
      when n.name = p_names[n.attnum] or exists (select from now o where o.name = p_names[n.attnum])
      then n.name else coalesce(p_names[n.attnum], n.name) end as alias
    from now n
  ), key as (
    select k.ord, a.alias, case when has_schema_privilege(s.oid, 'usage')
      then format('%%1$s.%I operator(%I.%s) %%2$s.%1$I', n.name, replace(s.nspname, '%', '%%'), replace(o.oprname, '%', '%%'))
      else format('row(%%1$s.%I)::record operator(pg_catalog.=) row(%%2$s.%1$I)::record', n.name) end as equals
    from pg_index i
    cross join lateral unnest(i.indkey::int2[], i.indclass::oid[]) with ordinality as k(attnum, class, ord)
    join aliased a on a.attnum = k.attnum
    cross join lateral replace(a.alias, '%', '%%') as n(name)
    join pg_opclass c on c.oid = k.class
    join pg_amop m on m.amopfamily = c.opcfamily and m.amoplefttype = c.opcintype and m.amoprighttype = c.opcintype
      and m.amopstrategy = 3 and m.amopmethod = (select h.oid from pg_am h where h.amname = 'btree')
    join pg_operator o on o.oid = m.amopopr
    join pg_namespace s on s.oid = o.oprnamespace
    where i.indrelid = p_table and i.indisprimary and k.ord <= i.indnkeyatts
      and not exists (select from pg_constraint d where d.conindid = i.indexrelid and d.contype = 'p' and d.condeferred)
  ), chosen as (
    select a.attnum, a.alias, case when p_columns is null then a.name else a.alias end as key
    from aliased a where case when p_columns is null then a.attgenerated <> 'v' else a.alias = any (p_columns) end
  )
  select (select string_agg(format('%I', a.alias), ', ' order by a.attnum) from aliased a),
    (select string_agg(format('"notify olds".%I', a.alias), ', ' order by a.attnum) from aliased a),
    (select string_agg(format('"notify news".%I', a.alias), ', ' order by a.attnum) from aliased a),
    (select string_agg(format('old.%I as %I', c.alias, c.key), ', ' order by c.attnum) from chosen c),
    (select string_agg(format('new.%I as %I', c.alias, c.key), ', ' order by c.attnum) from chosen c),
    (select string_agg(k.equals, ' and ' order by k.ord) from key k),
    (select string_agg(format('%I', k.alias), ', ' order by k.ord) from key k),
    (select repeat('_', max(length(a.alias))) from aliased a where a.alias ~ '^notify (nth|turn)'),
    (select format('old.%I is distinct from null', k.alias) from key k where k.ord = 1),
    (select format('new.%I is distinct from null', k.alias) from key k where k.ord = 1),
    (select format('case when new.%I is distinct from null then new.%I else old.%2$I end', k.alias, a.alias)
      from key k join aliased a on a.alias = p_reference where k.ord = 1)
  into v_aliases, v_olds, v_news, v_old, v_new, v_pairs, v_key, v_suffix, v_old_is_there, v_new_is_there, v_reference;
  if v_pairs is null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('%s has no primary key, by which old and new rows are paired', p_table),
      hint = 'Give it one that is not initially deferred: alter table … add primary key (…).';
  end if;
  if exists (select from pg_inherits i join pg_class c on c.oid = i.inhparent where c.oid = p_table and c.relkind = 'r') then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('other tables inherit from %s, and their rows may have the same primary key', p_table);
  end if;
  if v_reference is null and p_reference = any (p_names) then
    raise undefined_column using message = format('column %I, which is the reference, is gone', p_reference);
  end if;
  v_from := case
    when p_event = 'insert' then format('new_rows as new(%1$s) left join new_rows as old(%1$s) on false', v_aliases)
    when p_event = 'delete' then format('old_rows as old(%1$s) left join old_rows as new(%1$s) on false', v_aliases)
    when not exists (
      select from pg_constraint f
      where f.conrelid = p_table and f.contype = 'f' and (f.confupdtype in ('c', 'n', 'd') or f.confdeltype in ('n', 'd')))
    then format('old_rows as old(%1$s) full join new_rows as new(%1$s) on %2$s', v_aliases, format(v_pairs, 'old', 'new'))
    else format(
      '(select *, row_number() over (partition by %2$s order by %6$I) as %7$I'
      ' from (select *, row_number() over () as %6$I from old_rows as o(%1$s)) as o) as "notify olds" full join'
      ' (select *, row_number() over (partition by %2$s order by %6$I) as %7$I'
      ' from (select *, row_number() over () as %6$I from new_rows as n(%1$s)) as n) as "notify news"'
      ' on %3$s and "notify olds".%7$I = "notify news".%7$I'
      ' left join lateral (select %4$s) as old on "notify olds".%7$I is not null'
      ' left join lateral (select %5$s) as new on "notify news".%7$I is not null',
      v_aliases, v_key, format(v_pairs, '"notify olds"', '"notify news"'), v_olds, v_news,
      concat('notify nth', v_suffix), concat('notify turn', v_suffix)) end;
  return format('select jsonb_build_object(''table'', $1, ''op'', %s, ''at'', $2,'
      ' ''old'', case when %s then to_jsonb("notify old".*) end,'
      ' ''new'', case when %s then to_jsonb("notify new".*) end), case when true then (%s%s)::text end from ',
      case p_event when 'update' then format(
        'case when not (%s) then ''delete'' when not (%s) then ''insert'' else ''update'' end',
        v_new_is_there, v_old_is_there) else quote_literal(p_event) end,
      v_old_is_there, v_new_is_there, coalesce(v_reference, p_reference, 'null'), e'\n')
    || v_from
    || format(' cross join lateral (select %s) as "notify old" cross join lateral (select %s) as "notify new" where ',
      v_old, v_new)
    || case p_event when 'update' then format(
      '(not (%s) or not (%s) or "notify old".* *<> "notify new".*) and ', v_old_is_there, v_new_is_there) else '' end
    || format('(%s%s)', coalesce(p_condition, 'true'), e'\n');
end
$$;

comment on function notify.watch_query(regclass, text, text[], text[], text, text) is
  'watch_query(p_table, p_event, p_names, p_columns, p_condition, p_reference) -> text';
