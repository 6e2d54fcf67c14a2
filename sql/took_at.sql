-- took_at(p_took, p_share) -> double precision
--
-- Read from a histogram how many milliseconds that share of the sends took at most.
--
-- Args     p_took bigint[], a count for each bucket of took_bounds() and above; p_share from 0 to 1
-- Returns  as if the sends of a bucket were spread evenly over it; of the last bucket, which has no end, its beginning.
--          null: nothing is counted
-- Caller   destination(), destinations()
create or replace function notify.took_at(p_took bigint[], p_share double precision) returns double precision
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  v_bounds constant integer[] := notify.took_bounds();
  v_rank constant double precision := p_share * (select sum(n) from unnest(p_took) as n);
  v_below bigint := 0;                                      -- in the buckets before
  v_low integer := 0;
begin
  for v_bucket in 1..cardinality(v_bounds) loop
    if p_took[v_bucket] > 0 and v_below + p_took[v_bucket] >= v_rank then
      return v_low + (v_bounds[v_bucket] - v_low) * greatest(v_rank - v_below, 0) / p_took[v_bucket];
    end if;
    v_below := v_below + coalesce(p_took[v_bucket], 0);
    v_low := v_bounds[v_bucket];
  end loop;
  return case when v_rank > 0 then v_low end;
end
$$;

comment on function notify.took_at(bigint[], double precision) is 'took_at(p_took, p_share) -> double precision';
