-- sweep_default(p_retention, p_limit) -> what was not done
--
-- Delete what is older than the retention from the default partitions, row by row: these rows came too late for
-- a partition of their day.
--
-- Args     p_retention interval; p_limit integer, rows of each table per call
-- Returns  (action, partition): failed: some of that partition could not be deleted, and a warning says why. No row:
--          all is well
-- Note     It takes a second for each table, and what was begun by then. What is refused is undone, and fewer rows are
--          tried at once, down to one by one; after a success, more again
-- Locks    the rows, by primary key, skipping what is locked; a subtransaction for each part
-- Plan     primary keys; for each attempt its notification is looked up by itself, in the partition of its day
-- Caller   LeaderStore.sweep_default, keep_partitions()
create or replace function notify.sweep_default(p_retention interval, p_limit integer)
returns table (action text, partition text)
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '200ms'
set plan_cache_mode = force_custom_plan set enable_seqscan = off set jit = off set row_security = off as $$
declare
  v_oldest date := ((clock_timestamp() - p_retention) at time zone 'utc')::date;
  v_floor uuid := notify.id_floor(v_oldest::timestamp at time zone 'utc');
  v_least constant uuid := '00000000-0000-0000-0000-000000000000';
  v_after uuid := v_least;                  -- what is up to here is done with
  v_id uuid;
  v_ids uuid[];
  v_size integer := p_limit;                -- how many are tried at once
  v_left integer := p_limit;
  v_part integer;
  v_count integer;
  v_error text;
  v_ends timestamptz := clock_timestamp() + interval '1 second';
begin
  set constraints all immediate;
  while v_left > 0 and clock_timestamp() < v_ends loop
    v_ids := null;
    begin
      v_ids := array(
        select n.id from notify.notifications_default n
        where n.id > v_after and n.id < v_floor and n.settled_at is not null
        order by n.id
        limit least(v_size, v_left)
        for update skip locked);
      exit when v_ids = '{}';
      delete from notify.notifications_default where id = any (v_ids);
      get diagnostics v_count = row_count;
      if v_count < cardinality(v_ids) then
        v_error := 'a trigger leaves some out';
      end if;
      v_left := v_left - v_count;
      v_after := v_ids[cardinality(v_ids)];
      v_size := least(v_size * 2, p_limit);
    exception when others or assert_failure then
      v_error := sqlerrm;
      exit when v_ids is null;
      v_after := case when cardinality(v_ids) = 1 then v_ids[1] else v_after end;
      v_size := greatest(cardinality(v_ids) / 10, 1);
    end;
  end loop;
  if v_error is not null then
    raise warning 'old rows of notify.notifications_default are not deleted: %', v_error;
    action := 'failed';
    partition := 'notifications_default';
    return next;
  end if;

  v_error := null;
  v_after := v_least;
  v_size := p_limit;
  v_left := p_limit;
  v_ends := clock_timestamp() + interval '1 second';
  while v_left > 0 and clock_timestamp() < v_ends loop
    v_id := v_after;
    v_part := 0;
    begin
      for v_n in 1 .. least(v_size, v_left) loop
        select a.notification_id into v_id from notify.attempts_default a
        where a.notification_id > v_id and a.notification_id < v_floor
        order by a.notification_id
        limit 1;
        exit when not found or clock_timestamp() > v_ends;
        if not exists (select from notify.notifications n where n.id = v_id) then
          delete from notify.attempts_default a where a.notification_id = v_id;
          get diagnostics v_count = row_count;
          v_part := v_part + v_count;
        end if;
      end loop;
      v_left := v_left - v_part;
      v_after := v_id;
      v_size := least(v_size * 2, p_limit);
    exception when others or assert_failure then
      v_error := sqlerrm;
      v_after := case when v_size = 1 then v_id else v_after end;
      v_size := greatest(v_size / 10, 1);
    end;
    exit when v_after is null;
  end loop;
  if v_error is not null then
    raise warning 'old rows of notify.attempts_default are not deleted: %', v_error;
    action := 'failed';
    partition := 'attempts_default';
    return next;
  end if;
end
$$;

comment on function notify.sweep_default(interval, integer) is
  'sweep_default(p_retention, p_limit) -> what was not done';
