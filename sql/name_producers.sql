-- name_producers() -> nothing
--
-- Write producer_of() anew from notify.producer_roles, and let each watch send for whom its maker now speaks. Who changes
-- that table by hand calls it.
--
-- Locks    the row of notify.settings: two of it at once would both write the function; the watches that move, skipping
--          what is locked
-- Caller   grant_producer(), revoke_producer(), keep_rights()
create or replace function notify.name_producers() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_cases text;
begin
  perform from notify.settings for update;
  select string_agg(format(' when %L then %L', r.role, r.producer), '' order by r.role) into v_cases
  from notify.producer_roles r
  where r.role <> r.producer;
  execute 'create or replace function notify.producer_of(p_role text) returns text'
    ' language sql immutable parallel safe return ' || coalesce('case p_role' || v_cases || ' else p_role end', 'p_role');
  update notify.kept_watches w set producer = notify.producer_of(w.made_by)
  where w.id = any (array(
    select k.id from notify.kept_watches k join notify.producer_roles r on r.role = k.made_by
    where k.producer <> r.producer
    for update of k skip locked));          -- one that is being turned off needs nothing
end
$$;

comment on function notify.name_producers() is 'name_producers() -> nothing';
