-- mend_leases(p_lo, p_hi, p_lease, p_limit) -> how many were cut
--
-- Cut the leases that were given while the clock was ahead: those of dead workers would last for as long as the
-- clock was ahead. A worker that lives keeps a whole lease from now on.
--
-- Moves    nothing: sending stays sending
-- Args     p_lo and p_hi uuid, a range of stretches(); p_lease interval, the lease of a claim; p_limit rows. If
--          it returns p_limit: call again
-- Note     Call it only when the clock is known to have been ahead: some worker's LEASE_S may be longer than
--          the caller's. If the database refuses the batch, each row is tried alone, for a second in all
-- Fence    status sending; settle() and release() of the attempt go on as before
-- Locks    the rows, latest lease first, skipping what is locked; a subtransaction for each row tried alone
-- Plan     notifications_leased; a custom plan, so that only the days in that range are planned
-- Caller   LeaderStore.mend_leases
create or replace function notify.mend_leases(p_lo uuid, p_hi uuid, p_lease interval, p_limit integer)
returns integer
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  v_until timestamptz := clock_timestamp() + p_lease;
  v_ids uuid[];
  v_lo uuid;
  v_hi uuid;
  v_cut integer := 0;
begin
  v_ids := array(
    select n.id from notify.notifications n
    where n.id >= p_lo and n.id < p_hi and n.status = 'sending' and n.lease_until > v_until + interval '5 seconds'
    order by n.lease_until desc
    limit p_limit
    for update skip locked);
  v_ids := array(select i from unnest(v_ids) as i order by i);
  v_lo := v_ids[1];
  v_hi := v_ids[cardinality(v_ids)];
  set constraints all immediate;
  begin
    update notify.notifications n set
      lease_until = v_until,
      first_claimed_at = case when n.first_claimed_at is not null
        then least(n.first_claimed_at, clock_timestamp()) end
    where n.id = any (v_ids) and n.id between v_lo and v_hi;
    get diagnostics v_cut = row_count;
    return v_cut;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
  end;
  foreach v_lo in array v_ids loop
    begin
      update notify.notifications n set lease_until = v_until where n.id = v_lo;
      v_cut := v_cut + found::integer;      -- a trigger may leave it out
    exception when others or assert_failure then
      null;     -- its lease stays as it is
    end;
    exit when clock_timestamp() > v_until - p_lease + interval '1 second';
  end loop;
  return v_cut;
end
$$;

comment on function notify.mend_leases(uuid, uuid, interval, integer) is
  'mend_leases(p_lo, p_hi, p_lease, p_limit) -> how many were cut';
