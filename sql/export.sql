-- export(p_ids) -> one row per notification that exists
--
-- Write down all that the ledger keeps of notifications, for whoever asks what is kept of them.
--
-- Args     p_ids uuid[]. Each may be 256 KiB long: a hundred per call
-- Returns  line text, in the order of ids: a JSON object on one line, with each column of the notification, and its
--          attempts as a list, oldest first
-- Plan     primary keys, within the partitions of the ids
-- Caller   PersonStore.export
create or replace function notify.export(p_ids uuid[]) returns table (line text)
language plpgsql stable set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_asked uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_asked[1];
  v_hi uuid := v_asked[cardinality(v_asked)];
begin
  return query
  with tried as materialized (
    select a.notification_id as id, jsonb_agg(to_jsonb(a) - 'notification_id' order by a.attempt) as attempts
    from notify.attempts a
    where a.notification_id = any (v_asked) and a.notification_id between v_lo and v_hi
    group by a.notification_id
  )
  select (to_jsonb(n) || jsonb_build_object('attempts', coalesce(t.attempts, '[]')))::text
  from notify.notifications n left join tried t using (id)
  where n.id = any (v_asked) and n.id between v_lo and v_hi
  order by n.id;
end
$$;

comment on function notify.export(uuid[]) is 'export(p_ids) -> one row per notification that exists';
