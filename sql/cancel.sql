-- cancel(p_ids) -> one row per notification that exists
--
-- Call notifications off that nobody is sending.
--
-- Moves    queued -> cancelled
-- Args     p_ids uuid[]
-- Returns  (id, status, settled_at, was_cancelled): what it is now, and whether this call did it.
--          'sending': an attempt may be under way, and cannot be called back. Status 'locked': somebody
--          is claiming or cancelling it at this moment; ask again. An id that is missing names nothing.
-- Fence    status 'queued': what a worker has claimed is left to it
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     primary key, within the partitions of the ids: the status is compared with a variable, so that
--          notifications_due, which is full of dead entries, cannot be taken for it
-- Caller   Store.cancel
create or replace function notify.cancel(p_ids uuid[])
returns table (id uuid, status text, settled_at timestamptz, was_cancelled boolean)
language plpgsql
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
declare
  v_asked uuid[] := array(select i from unnest(p_ids) as i order by i);
  v_lo uuid := v_asked[1];
  v_hi uuid := v_asked[cardinality(v_asked)];
  v_queued constant text := 'queued';       -- a variable: see Plan
  v_ids uuid[];
begin
  v_ids := array(
    select n.id from notify.notifications n
    where n.id = any (v_asked) and n.id between v_lo and v_hi and n.status = v_queued
    order by n.id
    for update skip locked);
  update notify.notifications n set
    status = 'cancelled',
    settled_at = clock_timestamp()
  where n.id = any (v_ids) and n.id between v_lo and v_hi;
  return query
  select n.id, case n.status when v_queued then 'locked' else n.status end,
    notify.readable(n.settled_at), n.id = any (v_ids)
  from notify.notifications n
  where n.id = any (v_asked) and n.id between v_lo and v_hi
  order by n.id;
end
$$;

comment on function notify.cancel(uuid[]) is 'cancel(p_ids) -> one row per notification that exists';
