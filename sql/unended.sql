-- unended(p_ids) -> uuid[]
--
-- Name those of a producer's notifications that have not ended.
--
-- Args     p_ids uuid[], at most 1000, of the producer that speaks
-- Returns  some of p_ids, each once; {}: all have ended
-- Raises   ND001: more than 1000; ND008: p_ids is null, or the producer has no such notification
-- Plan     primary key, within the partitions of the ids
-- Caller   wait()
create or replace function notify.unended(p_ids uuid[]) returns uuid[]
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_producer constant text := notify.producer_of(notify.speaking_role());
  v_asked uuid[];
  v_found uuid[];
  v_unended uuid[];
  v_unknown uuid[];
begin
  if cardinality(p_ids) > 1000 then
    raise exception 'wait takes at most 1000 ids, not %', cardinality(p_ids)
      using errcode = 'ND001', hint = 'Call it once for each 1000.';
  end if;
  v_asked := array(select distinct i from unnest(p_ids) as i order by i);
  select coalesce(array_agg(n.id), '{}'), coalesce(array_agg(n.id) filter (where n.settled_at is null), '{}')
  into v_found, v_unended
  from notify.notifications n
  where n.id = any (v_asked) and n.id between v_asked[1] and v_asked[cardinality(array_remove(v_asked, null))]
    and n.producer = v_producer;
  v_unknown := array(select i from unnest(v_asked) as i where i is null or i <> all (v_found));
  if p_ids is null or v_unknown <> '{}' then
    raise exception 'no notification of yours: %', coalesce(array_to_string(v_unknown[1:3], ', ', 'null'), 'null')
      using errcode = 'ND008', hint = 'Give ids that send() returned, once its transaction has committed.';
  end if;
  return v_unended;
end
$$;

comment on function notify.unended(uuid[]) is 'unended(p_ids) -> uuid[]';
