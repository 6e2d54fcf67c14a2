-- ask_end(p_ids) -> one row per notification that exists
--
-- Ask to be rung when notifications end, and say which have ended already.
--
-- Moves    nothing; it sets notify_on_end
-- Args     p_ids uuid[]
-- Returns  (id, state): 'ended'; 'asked': notify_end rings when it ends (see tell_end); 'unasked': somebody is
--          moving it at this moment, or a trigger or constraint that is not ours is in the way: look again. No row
--          for an id: there is no such notification
-- Fence    settled_at null: what has ended rings no more
-- Locks    the rows that were not asked for yet, in the order of their ids, skipping what is locked
-- Note     Who listens before this call and finds 'asked' misses no end. The flag is set once, by an UPDATE of no
--          indexed column; the commit waits for no disk, as a claim that finds the row locked passes it over. A
--          crash may lose the flag, and with it every connection that listens: whoever connects again asks again
-- Plan     primary key, within the partitions of the ids
-- Caller   ReadStore.ask_end
create or replace function notify.ask_end(p_ids uuid[])
returns table (id uuid, state text)
language plpgsql
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_asked uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_asked[1];
  v_hi uuid := v_asked[cardinality(v_asked)];
  v_ids uuid[];
begin
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  begin
    v_ids := array(
      select n.id from notify.notifications n
      where n.id = any (v_asked) and n.id between v_lo and v_hi and n.settled_at is null and not n.notify_on_end
      order by n.id
      for update skip locked);
    if v_ids <> '{}' then
      set constraints all immediate;
      perform set_config('synchronous_commit', 'off', true);
      update notify.notifications n set notify_on_end = true
      where n.id = any (v_ids) and n.id between v_lo and v_hi;
    end if;
  exception when others or assert_failure then
    null;     -- they are 'unasked'
  end;
  return query
  select n.id, case when n.settled_at is not null then 'ended' when n.notify_on_end then 'asked' else 'unasked' end
  from notify.notifications n
  where n.id = any (v_asked) and n.id between v_lo and v_hi
  order by n.id;
end
$$;

comment on function notify.ask_end(uuid[]) is 'ask_end(p_ids) -> one row per notification that exists';
