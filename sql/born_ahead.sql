-- born_ahead() -> timestamptz
--
-- Prove that the ledger's clock was ahead: find a row that was created later than now.
--
-- Returns  created_at of the newest row whose id and created_at are more than 5 s ahead; null: there is none
-- Note     An id that a producer made may be a day ahead though the clock is right; created_at is always ours
-- Plan     primary keys; a custom plan, so that only the days from today on are planned
-- Caller   Store.born_ahead, notice_copy()
create or replace function notify.born_ahead() returns timestamptz
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off as $$
declare
  v_soon timestamptz := clock_timestamp() + interval '5 seconds';
  v_from uuid := notify.id_floor(v_soon);
begin
  return (
    select max(newest.created_at)
    from (
      select n.created_at from notify.notifications n
      where n.id >= v_from
      order by n.id desc
      limit 1000
    ) newest
    where newest.created_at > v_soon);
end
$$;

comment on function notify.born_ahead() is 'born_ahead() -> timestamptz';
