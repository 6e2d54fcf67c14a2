-- make_day(p_day, p_rows_max) -> what was done
--
-- Make the partitions of one day, with the rows that the default partitions have of it.
--
-- Args     p_day date, in UTC; p_rows_max integer, how many rows may have to be moved
-- Returns  (action, partition, moved): made, and the rows that were moved into it; or crowded: there are more
--          than p_rows_max; or busy: a lock did not come within lock_timeout; or failed: a warning says why.
--          Nothing was done after one that is not made. No row: both partitions are there
-- Locks    ACCESS EXCLUSIVE on the new and the default partitions
-- Note     CREATE … PARTITION OF would wait behind one open producer, and every later INSERT behind it: hence
--          LIKE + ATTACH.
-- Caller   make_days, which sets lock_timeout
create or replace function notify.make_day(p_day date, p_rows_max integer)
returns table (action text, partition text, moved bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_from uuid := notify.id_floor(p_day::timestamp at time zone 'utc');
  v_to uuid := notify.id_floor((p_day + 1)::timestamp at time zone 'utc');
  v_table text;
  v_key text;
  v_columns text;
begin
  for v_table, v_key in values ('notifications', 'id'), ('attempts', 'notification_id') loop
    partition := v_table || to_char(p_day, '_YYYYMMDD');
    continue when to_regclass('notify.' || partition) is not null;
    execute format(
      'select count(*) from (select from notify.%I where %I >= %L and %I < %L limit %s) as counted',
      v_table || '_default', v_key, v_from, v_key, v_to, p_rows_max + 1) into moved;
    if moved > p_rows_max then
      action := 'crowded';
      moved := 0;
      return next;
      return;
    end if;
    v_columns := (                          -- somebody may have added one that is generated
      select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
      where a.attrelid = to_regclass('notify.' || v_table) and a.attnum > 0 and not a.attisdropped
        and a.attgenerated = '');
    begin
      -- Autovacuum: every notification leaves two dead rows on its own day's partition, so it works
      -- early and unthrottled; the other days cost it nothing.
      execute format(
        'create table notify.%I (like notify.%I including defaults including constraints
           including generated) with (autovacuum_vacuum_scale_factor = 0.02,
           autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
           autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.05)',
        partition, v_table);
      if moved > 0 then                     -- or no day is made where somebody lets nobody delete
        execute format(
          'with moved as (delete from notify.%I where %I >= %L and %I < %L returning *)
             insert into notify.%I (%s) select %7$s from moved',
          v_table || '_default', v_key, v_from, v_key, v_to, partition, v_columns);
        get diagnostics moved = row_count;
      end if;
      execute format('alter table notify.%I attach partition notify.%I for values from (%L) to (%L)',
        v_table, partition, v_from, v_to);
      action := 'made';
    exception
      when lock_not_available then
        action := 'busy';
      when others or assert_failure then
        raise warning 'notify.% is not made: %', partition, sqlerrm;
        action := 'failed';
    end;
    return next;
    exit when action <> 'made';
  end loop;
end
$$;

comment on function notify.make_day(date, integer) is
  'make_day(p_day, p_rows_max) -> what was done';
