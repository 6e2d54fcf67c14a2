-- off_change(id) -> boolean
--
-- Turn a watch off: its changes are told no more. What it has queued is delivered.
--
-- Returns  true: it was on; false: there is no such watch of yours
-- Locks    the table, while its triggers are dropped: ACCESS EXCLUSIVE, until the transaction ends
-- Note     Only the table's owner may drop triggers, as PostgreSQL has it. To others a NOTICE says that they are left,
--          where they do nothing
-- Caller   producers; watched() and watches_amiss() name it
create or replace function notify.off_change(id bigint) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_trigger name;
  v_table regclass;
begin
  if not notify.drop_watch(id) then
    return false;
  end if;
  for v_trigger, v_table in select t.name, t.relation from notify.watch_triggers() t where t.watch = id::text order by t.name loop
    if pg_has_role((select c.relowner from pg_class c where c.oid = v_table), 'usage') then
      execute format('drop trigger %I on %s', v_trigger, v_table);
    else
      raise notice 'trigger % of % is left, and does nothing: its owner may drop it', v_trigger, v_table;
    end if;
  end loop;
  return true;
end
$$;

comment on function notify.off_change(bigint) is 'off_change(id) -> boolean';
