-- audit_page(p_verb, p_actor, p_key_id, p_before, p_limit, p_look_max) -> one row
--
-- Find the newest uses that match. It looks at a bounded number of rows: a page may be short or even empty though it
-- is not the last.
--
-- Args     p_verb, p_actor, p_key_id text: each narrows the search, null does not; p_before bigint, the cursor (null:
--          from the newest on); p_limit rows; p_look_max, the most rows to look at
-- Returns  (ids, following): the ids, newest first; the cursor for the next call, null at the end
-- Plan     the primary key, backwards; no filter has an index
-- Caller   ReadStore.audit
create or replace function notify.audit_page(
  p_verb text, p_actor text, p_key_id text, p_before bigint, p_limit integer, p_look_max integer)
returns table (ids bigint[], following bigint)
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set jit = off set max_parallel_workers_per_gather = 0 as $$
declare
  v_seen integer := 0;
  v_id bigint;
  v_fits boolean;
begin
  ids := '{}';
  for v_id, v_fits in
    select a.id, (p_verb is null or a.verb = p_verb) and (p_actor is null or a.actor = p_actor)
      and (p_key_id is null or coalesce(a.key_id = p_key_id, false))
    from (
      select u.id, u.verb, u.actor, u.key_id from notify.audit u
      where u.id < coalesce(p_before, 9223372036854775807)
      order by u.id desc
      limit p_look_max) a
  loop
    if v_fits and cardinality(ids) = p_limit then
      following := ids[p_limit];
      return next;
      return;
    end if;
    v_seen := v_seen + 1;
    ids := case when v_fits then ids || v_id else ids end;
  end loop;
  following := case when v_seen = p_look_max then v_id end;
  return next;
end
$$;

comment on function notify.audit_page(text, text, text, bigint, integer, integer) is
  'audit_page(p_verb, p_actor, p_key_id, p_before, p_limit, p_look_max) -> one row';
