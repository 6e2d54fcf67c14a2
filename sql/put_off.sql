-- put_off(p_ids, p_dues, p_ends) -> how many were put off
--
-- Let queued notifications that are due fall due later. A batch that the database refuses is halved until the row at
-- fault is alone: that row rests for a minute, if the database allows that, and says why.
--
-- Moves    nothing: queued stays queued. The patience begins again with the next claim. A row that was refused loses
--          its last_error; one that is refused gets last_error_code 'refused', and PostgreSQL's message
-- Args     p_ids uuid[], in order, and p_dues timestamptz[] of the same length (null: none); p_ends timestamptz:
--          after it no batch is halved
-- Fence    status queued, and due
-- Locks    the rows, in the order of their ids, skipping what is locked; a subtransaction for each part, and for each
--          refused row
-- Plan     primary key; a custom plan, so that only the few partitions of the ids are planned. The status is compared
--          with a sub-select, so that the planner cannot use notifications_due: beside a million others it would
--          read all of that. Hash joins only: a nested loop would sort the ids anew for each of them
-- Caller   set_aside(), set_due_aside()
create or replace function notify.put_off(p_ids uuid[], p_dues timestamptz[], p_ends timestamptz)
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
  v_is_elsewhere boolean;
  v_error text;
  v_context text;
begin
  if v_count = 0 then
    return 0;
  end if;
  set constraints all immediate;
  begin
    v_ids := array(
      select n.id from notify.notifications n
      where n.id = any (p_ids) and n.id between v_lo and v_hi and n.status = (select v_queued)
        and n.due_at <= clock_timestamp()
      order by n.id
      for update skip locked);
    with moved as (
      update notify.notifications n set
        due_at = g.due_at,
        first_claimed_at = null,
        last_error_code = nullif(n.last_error_code, 'refused'),
        last_error = case when n.last_error_code is distinct from 'refused' then n.last_error end
      from unnest(p_ids, p_dues) as g(id, due_at)
      where n.id = any (v_ids) and n.id between v_lo and v_hi and n.id = g.id
      returning n.due_at, g.due_at as wanted
    )
    select count(*) filter (where m.due_at = m.wanted),
      coalesce(bool_or(m.due_at <> m.wanted and m.due_at > clock_timestamp()), false)
    into v_count, v_is_elsewhere
    from moved m;
    if v_is_elsewhere then
      raise exception 'a trigger gave it another due_at';    -- at which no pause would find it
    end if;
    return v_count;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
    get stacked diagnostics v_context = pg_exception_context;
    v_error := notify.culprit(sqlerrm, v_context);
  end;
  if v_half = 0 then
    perform notify.rest(v_lo, v_error);     -- or it stays due, and due_unpaused() looks behind it
    return 0;
  end if;
  if clock_timestamp() >= p_ends then
    return 0;
  end if;
  return notify.put_off(p_ids[:v_half], p_dues[:v_half], p_ends)
    + notify.put_off(p_ids[v_half + 1:], p_dues[v_half + 1:], p_ends);
end
$$;

comment on function notify.put_off(uuid[], timestamptz[], timestamptz) is
  'put_off(p_ids, p_dues, p_ends) -> how many were put off';
