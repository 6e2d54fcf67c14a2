-- reconcile(p_limit) -> one row per lane
--
-- Return what the ready set must hold, from the head of every lane on: also ids that were lost.
--
-- Args     p_limit ids per lane
-- Returns  as due(); an id that the caller has offered and that comes back was lost: the caller counts it
-- Plan     as due()
-- Caller   LeaderStore.reconcile
create or replace function notify.reconcile(p_limit integer)
returns table (
  priority smallint, ids uuid[], due_ms double precision[], next_due_in interval,
  now_ms double precision)
language sql set search_path = pg_catalog, pg_temp as $$
  select * from notify.due('{0,1,2,3}', '{null,null,null,null}', p_limit)
$$;

comment on function notify.reconcile(integer) is 'reconcile(p_limit) -> one row per lane';
