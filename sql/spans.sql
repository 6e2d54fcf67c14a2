-- spans(p_all) -> the ranges of ids to look at
--
-- Return the ranges of ids that may hold sending or due rows: all except those of quiet days.
--
-- Args     p_all boolean: also the ranges in which rows are queued for later
-- Returns  (lo, hi), both ends included, the oldest first; ids that have no day of their own are within them.
--          If the ledger is not long: (null, null), which means everything, so that no bound is compared
-- Plan     quiet_days, as a whole: a row per day
-- Caller   due(), claim(), claim_each(), discard(), reap(), held(), next_lease_in(), lanes(),
--          abandoned_leases(), page(), ahead_of(), explain_road(), stuck(), living_workers(), paused(),
--          set_due_aside(), due_unpaused(), bring_back(), bring_strays_back(), cancel_matching(), ask_probe()
create or replace function notify.spans(p_all boolean default false) returns table (lo uuid, hi uuid)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_least constant uuid := '00000000-0000-0000-0000-000000000000';
  v_most constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
begin
  if not notify.is_long() then
    return query select null::uuid, null::uuid;
    return;
  end if;
  return query
  with quiet as (
    select q.day, lag(q.day) over (order by q.day) as before from notify.quiet_days q
    where q.until > case when p_all then '9999-12-31Z' else clock_timestamp() end
  )
  select coalesce(notify.id_floor((q.before + 1)::timestamp at time zone 'utc'), v_least),
    (left(notify.id_floor(q.day::timestamp at time zone 'utc' - interval '1 millisecond')::text, 14)
      || 'ffff-ffff-ffffffffffff')::uuid
  from quiet q
  where q.before is distinct from q.day - 1
  union all
  select coalesce(notify.id_floor((max(q.day) + 1)::timestamp at time zone 'utc'), v_least), v_most
  from quiet q
  order by 1;
end
$$;

comment on function notify.spans(boolean) is 'spans(p_all) -> the ranges of ids to look at';
