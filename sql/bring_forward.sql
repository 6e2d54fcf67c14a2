-- bring_forward(p_ids, p_dues, p_ends) -> how many were brought forward
--
-- Let queued notifications fall due earlier. A batch that the database refuses is halved until the row at
-- fault is alone: that row stays as it is.
--
-- Moves    nothing: queued stays queued. A first_claimed_at in the future becomes now, or patience would last
--          longer
-- Args     p_ids uuid[], in order, and p_dues timestamptz[] of the same length (null: none); p_ends timestamptz:
--          after it no batch is halved
-- Fence    status queued
-- Locks    the rows, in the order of their ids, skipping what is locked; a subtransaction for each part
-- Plan     primary key; a custom plan, so that only the few partitions of the ids are planned. The status is compared
--          with a sub-select, so that the planner cannot use notifications_due: beside a million others it would
--          read all of that. Hash joins only: a nested loop would sort the ids anew for each of them
-- Caller   mend_due(), bring_back(), bring_strays_back(), ask_probe()
create or replace function notify.bring_forward(p_ids uuid[], p_dues timestamptz[], p_ends timestamptz)
returns integer
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_nestloop = off as $$
declare
  v_count integer := coalesce(cardinality(p_ids), 0);
  v_half integer := v_count / 2;
  v_lo uuid := p_ids[1];
  v_hi uuid := p_ids[v_count];
  v_queued constant text := 'queued';       -- a variable: see Plan
  v_ids uuid[];
begin
  if v_count = 0 then
    return 0;
  end if;
  set constraints all immediate;
  begin
    v_ids := array(
      select n.id from notify.notifications n
      where n.id = any (p_ids) and n.id between v_lo and v_hi and n.status = (select v_queued)
      order by n.id
      for update skip locked);
    with moved as (
      update notify.notifications n set
        due_at = least(n.due_at, g.due_at),
        first_claimed_at = case when n.first_claimed_at is not null
          then least(n.first_claimed_at, clock_timestamp()) end
      from unnest(p_ids, p_dues) as g(id, due_at)
      where n.id = any (v_ids) and n.id between v_lo and v_hi and n.id = g.id
      returning n.due_at, g.due_at as wanted
    )
    select count(*) into v_count from moved m where m.due_at <= m.wanted;
    return v_count;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
  end;
  if v_half = 0 or clock_timestamp() >= p_ends then
    return 0;
  end if;
  return notify.bring_forward(p_ids[:v_half], p_dues[:v_half], p_ends)
    + notify.bring_forward(p_ids[v_half + 1:], p_dues[v_half + 1:], p_ends);
end
$$;

comment on function notify.bring_forward(uuid[], timestamptz[], timestamptz) is
  'bring_forward(p_ids, p_dues, p_ends) -> how many were brought forward';
