-- on_change(table, events, channel, recipient, columns, condition, reference, on_error) -> bigint
--
-- Turn a table's changes into notifications from now on: a watch.
--
-- Args     "table" regclass, with a primary key; events text[] of insert, update and delete; channel, recipient as in
--          send(); columns text[] that the payload has, and whose change counts (null: all); condition text, a boolean
--          expression over old and new (null: always); reference text, a column's name or an expression over old and
--          new; on_error 'fail': a change that cannot be told fails, 'skip': it is counted in notify.watches
-- Returns  the watch's id, for off_change()
-- Raises   23514 with a named constraint: an argument is wrong; what PostgreSQL says of a wrong condition or reference;
--          42501: TRIGGER on the table is missing, or the right to send
-- Locks    the table, against changes: SHARE ROW EXCLUSIVE, until the transaction ends
-- Note     All but keep_watch() is done with the caller's rights, so that PostgreSQL says who may make a trigger.
--          The watch's query is planned once against no rows. A cursor takes one query: nothing behind a semicolon
-- Caller   the migration 9999 deploys it; producers call it
create or replace function notify.on_change(
  "table" regclass, events text[], channel text, recipient text, columns text[] default null,
  condition text default null, reference text default null, on_error text default 'fail')
returns bigint
language plpgsql set search_path = pg_catalog, pg_temp set quote_all_identifiers = off
set standard_conforming_strings = on as $$
declare
  v_id bigint;
  v_names text[];
  v_event text;
  v_words text[];
  v_query text;
  v_cursor refcursor;
begin
  perform notify.check_watch("table", events, columns, on_error);
  foreach v_event in array events loop
    v_query := notify.watch_query("table", v_event, null, columns, condition, reference);
    open v_cursor for execute format('with %s ', (
        select string_agg(format('%s as (select (null::%s).* where false)', r.name, "table"), ', ')
        from (values ('old_rows', 'insert'), ('new_rows', 'delete')) as r(name, lacks) where r.lacks <> v_event))
      || v_query using ''::text, now();
    close v_cursor;
  end loop;
  v_id := notify.keep_watch("table", events, channel, recipient, columns, condition, reference, on_error);
  v_names := array(
    select case when not a.attisdropped then a.attname::text end
    from pg_attribute a where a.attrelid = "table" and a.attnum > 0 order by a.attnum);
  execute format('create trigger notify_watch_%s_open before %s on %s for each statement'
    ' execute function notify.open_watch(%1$L)', v_id, array_to_string(events, ' or '), "table");
  foreach v_event in array events loop
    v_words := array[v_id::text, v_event, "table"::oid::text, v_names::text, coalesce(columns::text, ''),
      coalesce(condition, ''), coalesce(reference, ''), on_error];
    execute format('create trigger notify_watch_%s_%s after %2$s on %3$s referencing %4$s for each statement'
      ' execute function notify.watched(%5$s)', v_id, v_event, "table",
      case v_event when 'insert' then 'new table as new_rows' when 'delete' then 'old table as old_rows'
        else 'old table as old_rows new table as new_rows' end,
      (select string_agg(quote_literal(w.word), ', ' order by w.ord)
       from unnest(v_words) with ordinality as w(word, ord)));
  end loop;
  return v_id;
end
$$;

comment on function notify.on_change(regclass, text[], text, text, text[], text, text, text) is
  'on_change(table, events, channel, recipient, columns, condition, reference, on_error) -> bigint';
