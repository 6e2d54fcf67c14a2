-- set_aside(p_ids) -> the ids that no pause covers
--
-- Set those of these notifications aside that a pause covers.
--
-- Moves    nothing: queued stays queued, with its attempts. due_at becomes the pause's waits_at, and the patience
--          begins again with the next claim
-- Args     p_ids uuid[], queued and due
-- Returns  uuid[], in order. What is covered and could not be set aside is left out as well: it stays as it is, and
--          is not sent. What has expired is never covered: it is to end
-- Note     resume() waits for all who set rows aside at this moment, by a lock that they share; who comes while it
--          waits, or until its commit, sets nothing aside. So no row is left behind for a pause that has ended. Only
--          who has found a row to set aside takes the lock. The destination is worked out only if the recipient has
--          the host of a paused one in it, because that takes 3 µs: so one whose host is spelled beyond ASCII is not
--          covered. An address may be spelled in many ways, so for it only names are told apart
-- Locks    as put_off(); advisory (1852798057, 4), shared, if it is free, until the transaction ends
-- Plan     primary key, within the partitions of the ids; pauses
-- Caller   claim(), set_due_aside()
create or replace function notify.set_aside(p_ids uuid[]) returns uuid[]
language plpgsql set search_path = pg_catalog, pg_temp set standard_conforming_strings = on
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_ids[1];
  v_hi uuid := v_ids[cardinality(v_ids)];
  v_hosts text[] := array(
    select regexp_replace(p.name, '^.*://|:[0-9]+$', '', 'g') from notify.pauses p
    where p.kind = 'destination' and p.resumed_at is null);
  v_has_addresses boolean := exists (select from unnest(v_hosts) as h where h ~ '^[[0-9]');
  v_covered uuid[];
  v_by bigint[];
  v_dues timestamptz[];
begin
  if exists (select from notify.quiet_days) then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  with asked as materialized (
    select n.id, n.channel, n.producer,
      case when exists (select from unnest(v_hosts) as h where position(h in lower(n.recipient collate "C")) > 0)
        or v_has_addresses and n.recipient ~ '://([^/?#\\]*@)?[[0-9]'
        then notify.destination_of(n.channel, n.recipient) end as destination
    from notify.notifications n
    where n.id = any (v_ids) and n.id between v_lo and v_hi and (n.expires_at is null or n.expires_at > v_now)
  ), found as (
    select a.id, p.id as pause from asked a join notify.pauses p on p.kind = 'channel' and p.name = a.channel
    where p.resumed_at is null
    union all
    select a.id, p.id from asked a join notify.pauses p on p.kind = 'producer' and p.name = a.producer
    where p.resumed_at is null
    union all
    select a.id, p.id from asked a join notify.pauses p on p.kind = 'destination' and p.name = a.destination
      and p.channel = a.channel
    where p.resumed_at is null
  ), covered as (
    select f.id, min(f.pause) as pause from found f group by f.id
  )
  select array_agg(c.id order by c.id), array_agg(c.pause order by c.id) into v_covered, v_by from covered c;
  if v_covered is null then
    return v_ids;
  end if;

  if pg_try_advisory_xact_lock_shared(1852798057, 4) then
    select array_agg(c.id order by c.id), array_agg(p.waits_at order by c.id) into v_ids, v_dues
    from unnest(v_covered, v_by) as c(id, pause) join notify.pauses p on p.id = c.pause
    where p.resumed_at is null;             -- looked at again, under the lock
    perform notify.put_off(v_ids, v_dues, v_now + interval '1 second');
  end if;
  return array(select i from unnest(p_ids) as i except select c from unnest(v_covered) as c order by 1);
end
$$;

comment on function notify.set_aside(uuid[]) is 'set_aside(p_ids) -> the ids that no pause covers';
