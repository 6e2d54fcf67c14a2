-- took_bounds() -> integer[]
--
-- Give the buckets in which workers count how long sends took: the most milliseconds of each.
--
-- Returns  in milliseconds, rising; one more bucket, the last, has what took longer. workers/rollups.py has the same
-- Caller   took_at()
create or replace function notify.took_bounds() returns integer[]
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select '{2,5,10,20,50,100,200,500,1000,2000,5000,10000,30000}'::integer[]
$$;

comment on function notify.took_bounds() is 'took_bounds() -> integer[]';
