-- reap(p_limit, p_grace) -> the rows taken back
--
-- End attempts whose lease has passed: their worker died, or was too slow to be trusted. A notification that
-- fails by this is counted in `slo_deltas`.
--
-- Moves    sending -> queued, due at once the first time. If the attempt before ended the same way, it is due
--          after a backoff with jitter: a notification that kills its workers then comes back alone, not with
--          the same others each time. sending -> failed when the attempts are used up. What was sent, and could not be
--          settled: sending -> sent
-- Args     p_limit rows per call; p_grace interval after the server's start in which nothing is reaped,
--          because nobody could settle while it was away. A start that is to come, as the clock was ahead then, gives none
-- Returns  (id, attempt, status). If there are p_limit rows: call again. Status 'refused': the database does not
--          let the row move; it is tried again in a minute, or in the next call.
-- Fence    the lease itself: settle() of the same attempt finds the row gone from 'sending'
-- Locks    the rows, oldest lease of a range first, skipping what is locked (its worker is settling it)
-- Plan     notifications_leased
-- Caller   LeaderStore.reap
create or replace function notify.reap(p_limit integer, p_grace interval)
returns table (id uuid, attempt integer, status text)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_ends timestamptz := v_now + interval '1 second';
  v_ids uuid[];
  v_refused uuid[] := '{}';
  v_ended integer := 0;
  v_odd integer;
  v_lo uuid;
  v_hi uuid;
begin
  if v_now >= pg_postmaster_start_time() and v_now < pg_postmaster_start_time() + p_grace then
    return;
  end if;
  if notify.is_long() then
    perform set_config('plan_cache_mode', 'force_custom_plan', true);
  end if;
  loop
    v_ids := '{}';
    for v_lo, v_hi in select s.lo, s.hi from notify.spans() s loop
      v_ids := v_ids || array(
        select n.id from notify.notifications n
        where n.status = 'sending' and n.lease_until < v_now and n.id <> all (v_refused)
          and (v_lo is null or n.id between v_lo and v_hi)
        order by n.lease_until
        limit p_limit - v_ended - cardinality(v_ids)
        for update skip locked);
    end loop;
    exit when v_ids = '{}';
    v_odd := 0;
    for id, attempt, status in select e.* from notify.end_leases(v_ids, v_ends) e loop
      return next;
      if status = 'refused' then
        v_refused := v_refused || id;
        v_odd := v_odd + 1;
      else
        v_ended := v_ended + 1;
      end if;
    end loop;
    -- Refused rows are the first in the order of leases: more may wait behind them.
    exit when v_odd = 0 or v_ended >= p_limit or clock_timestamp() > v_ends;
  end loop;
end
$$;

comment on function notify.reap(integer, interval) is 'reap(p_limit, p_grace) -> the rows taken back';
