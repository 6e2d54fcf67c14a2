-- watched() -> trigger, after each statement that a watch looks at
--
-- Make the notifications of one statement's changes, and hand them on at once.
--
-- Args     the watch's id; insert, update or delete; the table's oid and its columns' names when the watch was made;
--          columns, condition and reference ('': none); on_error. All texts, which pg_dump keeps as they are
-- Raises   42501: the statement has taken away its own ticket; what went wrong, with its SQLSTATE, named by watch and table; or with on_error 'skip' leaves a row in
--          watch_faults, unless it is what the same transaction may well tell when it is repeated: a lock that was not
--          free, a disk that failed. What is no fault of the watch (cancelled, serialization, short of something) stays as it was
-- Note     It runs with the rights of whoever changes the table, because what the watch's maker wrote runs here; what
--          it needs of ours is open to PUBLIC (keep_rights). Its settings are its own: a payload is the same whoever
--          changes the table. The names of the columns are trusted only for the table's oid: after a restore, columns
--          may have other numbers
-- Limits   one call of put_watched() for 100,000 notifications or 128 MB
-- Plan     see watch_query()
-- Caller   the triggers that on_change() makes
create or replace function notify.watched() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp set timezone = 'UTC' set datestyle = 'ISO' set intervalstyle = 'postgres'
set bytea_output = 'hex' set extra_float_digits = 1 set lc_monetary = 'C' set standard_conforming_strings = on
set transform_null_equals = off set quote_all_identifiers = off set jit = off as $$
declare
  v_watch constant bigint := tg_argv[0];
  v_setting constant text := 'notify.watch_' || tg_argv[0];
  v_tickets constant text := coalesce(current_setting(v_setting, true), '');
  v_ticket constant text := left(v_tickets, 64);
  v_table constant text := format('%I.%I', tg_table_schema, tg_table_name);
  v_payload jsonb;
  v_reference text;
  v_payloads jsonb[] := '{}';
  v_references text[] := '{}';
  v_bytes bigint := 0;
  v_state text;
  v_error text;
  v_detail text;
  v_hint text;
begin
  if v_tickets = '' then
    if has_schema_privilege('notify', 'usage') then
      if notify.is_watched(v_watch, tg_relid) then
        raise insufficient_privilege using
          message = format('watch %s of %s: its ticket was taken from %I', v_watch, v_table, v_setting),
          hint = format('Something in this statement has set or reset that setting, or the trigger notify_watch_%s_open'
            ' is gone: the change would not be told.', v_watch);
      end if;
    end if;
    return null;
  end if;
  perform set_config(v_setting, substr(v_tickets, 65), true);
  begin
    for v_payload, v_reference in
      execute notify.watch_query(tg_relid, tg_argv[1],
        case when tg_argv[2] = tg_relid::oid::text then tg_argv[3]::text[] end, nullif(tg_argv[4], '')::text[],
        nullif(tg_argv[5], ''), nullif(tg_argv[6], ''))
      using v_table, clock_timestamp()
    loop
      v_payloads := array_append(v_payloads, v_payload);
      v_references := array_append(v_references, v_reference);
      v_bytes := v_bytes + pg_column_size(v_payload);
      if v_bytes > 134217728 or cardinality(v_payloads) = 100000 then
        perform notify.put_watched(v_watch, v_ticket, v_payloads, v_references);
        v_payloads := '{}';
        v_references := '{}';
        v_bytes := 0;
      end if;
    end loop;
    if cardinality(v_payloads) > 0 then
      perform notify.put_watched(v_watch, v_ticket, v_payloads, v_references);
    end if;
  exception when others or assert_failure then
    if sqlstate ~ '^(40|53|57)' then
      raise;
    end if;
    get stacked diagnostics v_state = returned_sqlstate, v_error = message_text, v_detail = pg_exception_detail,
      v_hint = pg_exception_hint;
    v_error := format('watch %s of %s: %s', v_watch, v_table, v_error);
    if tg_argv[7] = 'skip' and v_state not in ('55P03', '58030') then
      perform notify.note_watch_fault(v_watch, v_ticket, v_error);
    else
      raise exception using errcode = v_state, message = v_error, detail = v_detail, hint = ltrim(format(
        '%s select notify.off_change(%s) turns the watch off. One with on_error => ''skip'' counts what it cannot tell.',
        v_hint, v_watch));
    end if;
  end;
  return null;
end
$$;

comment on function notify.watched() is 'watched() -> trigger, after each statement that a watch looks at';
