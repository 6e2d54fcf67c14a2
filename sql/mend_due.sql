-- mend_due(p_lo, p_hi, p_lane, p_after, p_after_id, p_limit) -> one row
--
-- Pull back each due_at that was set while the clock was ahead: else the row would wait for as long as the clock
-- was ahead. No row falls due before its send_at, which is the producer's.
--
-- Args     p_lo and p_hi uuid, a range of stretches(); p_lane smallint; p_after timestamptz and p_after_id uuid,
--          where the last call ended (to begin: '-infinity' and any id); p_limit, rows to look at
-- Returns  mended integer; following timestamptz and following_id uuid, for the next call (null: that was all)
-- Note     A row is pulled back only if it proves by itself that the clock was ahead, in one of two ways.
--          Its last attempt ended in the future: the wait after that attempt now begins at this moment.
--          Or no row of attempts says when its last attempt ended (it was parked, reaped or never claimed), and
--          it was created or first claimed in the future, or it is due later than anything is ever parked:
--          then it is due now.
--          What redrive() queued by that clock stays if nothing else proves it
--          What a pause has set aside, until the year 3000 and later, waits on
-- Locks    the rows that are pulled back, in the order of their ids, skipping what is locked
-- Plan     notifications_due, and the primary key of attempts; a custom plan, so that only the days in that
--          range are planned
-- Caller   LeaderStore.mend_due
create or replace function notify.mend_due(
  p_lo uuid, p_hi uuid, p_lane smallint, p_after timestamptz, p_after_id uuid, p_limit integer)
returns table (mended integer, following timestamptz, following_id uuid)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  v_now timestamptz := clock_timestamp();
  v_soon timestamptz := v_now + interval '5 seconds';
  v_parked_max constant interval := '1 hour';
  v_looked integer;
  v_ids uuid[];
  v_dues timestamptz[];
begin
  with looked as materialized (
    select n.id, n.due_at, n.send_at, n.attempt, n.created_at, n.first_claimed_at
    from notify.notifications n
    where n.id >= p_lo and n.id < p_hi
      and n.status = 'queued' and n.priority = p_lane and n.due_at > v_soon and n.due_at < '3000-01-01Z'
      and (n.due_at, n.id) > (p_after, p_after_id)
    order by n.due_at, n.id
    limit p_limit
  ),
  judged as (
    select l.*, case
      when a.ended_at > v_soon then l.due_at - a.ended_at
      when a.ended_at is null and (greatest(l.created_at, l.first_claimed_at) > v_soon
        or l.first_claimed_at is not null and l.due_at > v_now + v_parked_max) then interval '0'
      end as wait
    from looked l
    left join lateral (
      select a.started_at + a.took_ms * interval '1 millisecond' as ended_at
      from notify.attempts a
      where a.notification_id >= p_lo and a.notification_id < p_hi
        and a.notification_id = l.id and a.attempt = l.attempt
    ) a on true
  ),
  mendable as (
    select j.id, greatest(j.send_at, v_now + j.wait) as new_due_at
    from judged j
    where greatest(j.send_at, v_now + j.wait) < j.due_at and j.wait is not null
  )
  select l.looked, l.due_at, l.id, m.ids, m.dues
  into v_looked, following, following_id, v_ids, v_dues
  from (
    select count(*) over () as looked, l.due_at, l.id from looked l order by l.due_at desc, l.id desc limit 1
  ) l
  cross join (
    select array_agg(m.id order by m.id) as ids, array_agg(m.new_due_at order by m.id) as dues from mendable m
  ) m;

  mended := notify.bring_forward(v_ids, v_dues, clock_timestamp() + interval '1 second');
  if coalesce(v_looked, 0) < p_limit then
    following := null;
    following_id := null;
  end if;
  return next;
end
$$;

comment on function notify.mend_due(uuid, uuid, smallint, timestamptz, uuid, integer) is
  'mend_due(p_lo, p_hi, p_lane, p_after, p_after_id, p_limit) -> one row';
