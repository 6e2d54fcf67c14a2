-- check_watch(p_table, p_events, p_columns, p_on_error) -> nothing
--
-- Refuse a watch that could not work.
--
-- Raises   23514 with a named constraint, the argument as its column, and a hint
-- Note     It looks at the catalog alone, with the owner's rights, as refuse() is no producer's
-- Caller   on_change(), keep_watch()
create or replace function notify.check_watch(p_table regclass, p_events text[], p_columns text[], p_on_error text)
returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_class pg_class;
  v_missing text;
begin
  select c.* into v_class from pg_class c where c.oid = p_table;
  if v_class.relkind is null or v_class.relkind not in ('r', 'p') or v_class.relpersistence = 't' then
    perform notify.refuse('watched_is_a_table', 'table',
      'Name an ordinary or partitioned table: no view, foreign or temporary table.');
  end if;
  if v_class.relnamespace::regnamespace::text in ('notify', 'pg_catalog', 'information_schema') then
    perform notify.refuse('watched_is_a_table_of_yours', 'table', 'Name a table of your own.');
  end if;
  if v_class.relkind = 'r' and v_class.relhassubclass and exists (select from pg_inherits i where i.inhparent = p_table) then
    perform notify.refuse('watched_has_no_heirs', 'table',
      'Rows of a table and of those that inherit from it may share a primary key: watch each, or partition it.');
  end if;
  if coalesce(cardinality(p_events), 0) = 0 or array_ndims(p_events) > 1 or array_position(p_events, null) is not null
    or not p_events <@ '{insert,update,delete}'::text[]
    or cardinality(p_events) <> (select count(distinct e) from unnest(p_events) as e) then
    perform notify.refuse('events_are_known', 'events',
      'Use insert, update and delete, each once. TRUNCATE has no rows that could be told.');
  end if;
  if cardinality(p_columns) = 0 then
    perform notify.refuse('columns_are_named', 'columns', 'Name some columns, or leave it out for all.');
  end if;
  v_missing := (
    select string_agg(coalesce(quote_ident(c), 'null'), ', ') from unnest(p_columns) as c
    where not exists (select from pg_attribute a where a.attrelid = p_table and a.attname = c
      and a.attnum > 0 and not a.attisdropped and a.attgenerated <> 'v'));
  if v_missing is not null then
    perform notify.refuse('columns_exist', 'columns', format(
      'There is no column %s that is stored: a virtual generated one has no value in a trigger.', v_missing));
  end if;
  if p_on_error is null or p_on_error not in ('fail', 'skip') then
    perform notify.refuse('on_error_is_known', 'on_error', 'Use fail or skip.');
  end if;
end
$$;

comment on function notify.check_watch(regclass, text[], text[], text) is
  'check_watch(p_table, p_events, p_columns, p_on_error) -> nothing';
