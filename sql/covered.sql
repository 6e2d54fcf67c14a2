-- covered(p_ids) -> those that a pause covers
--
-- Say which of these notifications a pause covers, and until when each would wait for it.
--
-- Args     p_ids uuid[]
-- Returns  (id, waits_at), one row for each; under several pauses it waits for the first. What has expired is never
--          covered: it is to end
-- Note     While few destinations are paused, that of a recipient is worked out only if it has one of their hosts in it:
--          that takes as long as to look for 50. One whose host is spelled beyond ASCII is not covered. An address may
--          be spelled in many ways, so for it only names are told apart
-- Plan     primary key, within the partitions of the ids; pauses. A hash join only: a nested loop would compare each row
--          with each pause
-- Caller   set_aside(), set_due_aside(), due_unpaused()
create or replace function notify.covered(p_ids uuid[]) returns table (id uuid, waits_at timestamptz)
language plpgsql set search_path = pg_catalog, pg_temp set standard_conforming_strings = on
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_nestloop = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_ids[1];
  v_hi uuid := v_ids[cardinality(v_ids)];
  v_hosts text[] := array(
    select regexp_replace(p.name, '^.*://|:[0-9]+$', '', 'g') from notify.pauses p
    where p.kind = 'destination' and p.resumed_at is null);
  v_has_addresses boolean := exists (select from unnest(v_hosts) as h where h ~ '^[[0-9]');
begin
  if exists (select from notify.quiet_days) then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  return query
  with asked as materialized (
    select n.id, n.channel, n.producer,
      case when cardinality(v_hosts) > 50
        or exists (select from unnest(v_hosts) as h where position(h in lower(n.recipient collate "C")) > 0)
        or v_has_addresses and n.recipient ~ '://([^/?#\\]*@)?[[0-9]'
        then notify.destination_of(n.channel, n.recipient) end as destination
    from notify.notifications n
    where n.id = any (v_ids) and n.id between v_lo and v_hi and (n.expires_at is null or n.expires_at > v_now)
  ), found as (
    select a.id, p.id as pause, p.waits_at from asked a join notify.pauses p on p.kind = 'channel' and p.name = a.channel
    where p.resumed_at is null
    union all
    select a.id, p.id, p.waits_at from asked a join notify.pauses p on p.kind = 'producer' and p.name = a.producer
    where p.resumed_at is null
    union all
    select a.id, p.id, p.waits_at from asked a join notify.pauses p on p.kind = 'destination' and p.name = a.destination
      and p.channel = a.channel
    where p.resumed_at is null
  )
  select distinct on (f.id) f.id, f.waits_at from found f order by f.id, f.pause;
end
$$;

comment on function notify.covered(uuid[]) is 'covered(p_ids) -> those that a pause covers';
