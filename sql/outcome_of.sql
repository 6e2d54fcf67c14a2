-- outcome_of(reference) -> rows of the view outcomes, newest first
--
-- Tell a producer what became of its notifications of one reference: for joins, where the view, as a security
-- barrier, lets no index find a reference that comes from another table.
--
-- Args     reference text
-- Returns  up to 1000 rows
-- Raises   ND010: it looked at 10,000 notifications of that reference, of all producers, and older ones may be the
--          producer's too
-- Note     Its plans are kept: called for each row of a join it costs a look into the index of each day
-- Plan     notifications_reference, backwards; then the primary key
-- Caller   the migration 9999 deploys it; producers call it
create or replace function notify.outcome_of(reference text) returns setof notify.outcomes
language plpgsql stable security definer rows 1
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set jit = off set max_parallel_workers_per_gather = 0 as $$
declare
  v_producer constant text := notify.producer_of(notify.speaking_role());
  v_looked integer;
  v_ids uuid[];
begin
  select count(*), coalesce(array_agg(f.id) filter (where f.producer = v_producer), '{}') into v_looked, v_ids
  from (
    select n.id, n.producer from notify.notifications n where n.reference = outcome_of.reference
    order by n.id desc limit 10001) as f;
  if v_looked > 10000 and cardinality(v_ids) < 1000 then
    raise exception using errcode = 'ND010',
      message = 'those of other producers are too many to look through: older ones of yours may be among them',
      hint = 'Ask the view notify.outcomes with this reference, or use references that others do not.';
  end if;
  v_ids := v_ids[1:1000];
  if v_ids <> '{}' then
    return query
    select o.* from notify.outcomes o
    where o.id = any (v_ids) and o.id between v_ids[cardinality(v_ids)] and v_ids[1]
    order by o.id desc;
  end if;
end
$$;

comment on function notify.outcome_of(text) is 'outcome_of(reference) -> rows of the view outcomes, newest first';
