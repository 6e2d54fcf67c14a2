-- make_day(p_day, p_rows_max) -> what was done
--
-- Make the partitions of one day, and move the rows of that day from the default partitions into them.
--
-- Args     p_day date, in UTC; p_rows_max integer, the most rows to move
-- Returns  (action, partition, moved): made, and how many rows were moved into it; or crowded: there are more
--          than p_rows_max; or busy: a lock did not come within lock_timeout; or failed: a warning says why.
--          After a row that is not 'made' nothing else was done. No row: both partitions are there already
-- Locks    ACCESS EXCLUSIVE on the new and the default partitions
-- Note     CREATE … PARTITION OF would wait for a producer's open transaction, and every later INSERT would wait
--          for it. So the table is made by LIKE, and then attached. A default_tablespace in which we may create nothing
--          is not used: somebody set it for tables of his own
-- Caller   make_days(), which sets lock_timeout
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
  if exists (
    select from pg_tablespace t
    where t.spcname = current_setting('default_tablespace') and not has_tablespace_privilege(t.oid, 'create'))
  then
    perform set_config('default_tablespace', '', true);
  end if;
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
    v_columns := (                          -- without a generated one that somebody may have added
      select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
      where a.attrelid = to_regclass('notify.' || v_table) and a.attnum > 0 and not a.attisdropped
        and a.attgenerated = '');
    begin
      -- Every notification leaves two dead rows in its own day's partition: so autovacuum begins early
      -- there. It rests after each piece, or for the seconds that a long day takes it would have a processor
      -- for itself, and sends would wait. The other days cost it nothing.
      execute format(
        'create table notify.%I (like notify.%I including defaults including constraints
           including generated) with (autovacuum_vacuum_scale_factor = 0.02,
           autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 1,
           autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.5)',
        partition, v_table);
      if moved > 0 then                     -- else we may do without the right to delete
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
