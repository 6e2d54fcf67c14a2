-- drop_watch(p_id) -> boolean
--
-- Forget a watch, if it is of the producer who speaks, or its maker or the owner speaks.
--
-- Returns  true: it was there
-- Caller   off_change()
create or replace function notify.drop_watch(p_id bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  delete from notify.kept_watches w
  where w.id = p_id and (w.made_by = notify.speaking_role() or w.producer = notify.producer_of(notify.speaking_role())
    or has_table_privilege(notify.speaking_role(), 'notify.kept_watches', 'delete'));
  if not found then
    return false;
  end if;
  delete from notify.watch_faults f where f.watch_id = p_id;
  return true;
end
$$;

comment on function notify.drop_watch(bigint) is 'drop_watch(p_id) -> boolean';
