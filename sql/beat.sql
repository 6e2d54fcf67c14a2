-- beat(p_worker, p_host, p_version, p_environment, p_channels, p_patience, p_slots, p_in_flight, p_settled, p_up) -> whether it is new
--
-- Note that a worker lives, and what it says of itself.
--
-- Args     p_worker text, as it writes claimed_by; p_host, p_version text; p_environment text (null: none);
--          p_channels text[], that it can send on; p_patience interval; p_slots, p_in_flight integer;
--          p_settled bigint, the attempts that it has settled since it started, which was p_up interval ago
-- Returns  true: it was not known, and none of its destinations are. Then rows of workers that were not heard of
--          for a day are removed, and those beyond the last 1000: only new ones make the table grow
-- Locks    its row, for 100 ms at most; the removed ones, skipping what is locked
-- Plan     primary key; a new worker reads the whole table, which is small
-- Caller   workers' HeartStore.beat, each 10 s
create or replace function notify.beat(
  p_worker text, p_host text, p_version text, p_environment text, p_channels text[], p_patience interval,
  p_slots integer, p_in_flight integer, p_settled bigint, p_up interval) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_gone text[];
begin
  update notify.workers w set
    in_flight = p_in_flight,
    slots = p_slots,
    settled = p_settled,
    per_s = case when v_now > w.beat_at
      then greatest(p_settled - w.settled, 0) / extract(epoch from v_now - w.beat_at) else w.per_s end,
    beat_at = v_now
  where w.worker = p_worker;
  if found then
    return false;
  end if;
  v_gone := array(
    select w.worker from notify.workers w
    where w.beat_at < v_now - interval '1 day'
      or w.worker in (select o.worker from notify.workers o order by o.beat_at desc offset 999)
    for update skip locked);
  delete from notify.workers w where w.worker = any (v_gone);
  delete from notify.destination_state d
  where not exists (select from notify.workers w where w.worker = d.worker);
  insert into notify.workers (worker, host, version, environment, channels, patience, slots, in_flight, settled,
    per_s, started_at, beat_at)
  values (p_worker, p_host, p_version, p_environment, p_channels, p_patience, p_slots, p_in_flight, p_settled,
    0, v_now - p_up, v_now)
  on conflict do nothing;
  return true;
end
$$;

comment on function notify.beat(text, text, text, text, text[], interval, integer, integer, bigint, interval) is
  'beat(p_worker, p_host, p_version, p_environment, p_channels, p_patience, p_slots, p_in_flight, p_settled, p_up) -> whether it is new';
