-- stretches(p_from, p_until, p_days) -> the ranges of ids, oldest first
--
-- Cut the ledger into ranges of up to p_days partitions each, so that a long scan plans, locks and opens a few
-- partitions at a time. Together the ranges hold every id from p_from on and before p_until.
--
-- Args     p_from uuid; p_until uuid, exclusive; p_days integer
-- Returns  (lo, hi): an id belongs to a range if lo <= id and id < hi
-- Plan     the catalog of partitions alone
-- Caller   page(), redrive(), cancel_matching(), find_person(), outcomes(), LeaderStore.stretches
create or replace function notify.stretches(p_from uuid, p_until uuid, p_days integer)
returns table (lo uuid, hi uuid)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with days as (
    select to_date(right(c.relname, 8), 'YYYYMMDD') as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'notify.notifications'::regclass and c.relname ~ '_[0-9]{8}$'
  ), numbered as (
    select d.day, row_number() over (order by d.day) as place from days d
  ), cuts as (
    select '00000000-0000-0000-0000-000000000000'::uuid as cut
    union
    select notify.id_floor(n.day::timestamp at time zone 'utc') from numbered n where (n.place - 1) % p_days = 0
  ), ranges as (
    select c.cut, lead(c.cut, 1, 'ffffffff-ffff-ffff-ffff-ffffffffffff') over (order by c.cut) as next_cut
    from cuts c
  )
  select greatest(r.cut, p_from), least(r.next_cut, p_until) from ranges r
  where r.cut < p_until and r.next_cut > p_from
  order by r.cut
$$;

comment on function notify.stretches(uuid, uuid, integer) is
  'stretches(p_from, p_until, p_days) -> the ranges of ids, oldest first';
