-- parents_are_held(p_for) -> boolean
--
-- Say whether somebody uses the parents of the days for as long as that. It only looks: whoever stands in the queue for
-- their locks stops everybody behind.
--
-- Args     p_for interval, between two looks; without anybody there is no second one
-- Returns  true: a transaction that is not this one has a lock on one of them at both looks. Others come and go: false
-- Plan     the server's locks
-- Caller   drop_day()
create or replace function notify.parents_are_held(p_for interval) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_holders text[];
begin
  for v_look in 1 .. 2 loop
    v_holders := array(
      select l.virtualtransaction
      from pg_locks l
      where l.locktype = 'relation' and l.granted and l.pid is distinct from pg_backend_pid()
        and l.database = (select d.oid from pg_database d where d.datname = current_database())
        and l.relation in ('notify.notifications'::regclass, 'notify.attempts'::regclass)
        and (v_look = 1 or l.virtualtransaction = any (v_holders)));
    exit when v_holders = '{}' or v_look = 2;
    perform pg_sleep(extract(epoch from p_for));
  end loop;
  return v_holders <> '{}';
end
$$;

comment on function notify.parents_are_held(interval) is 'parents_are_held(p_for) -> boolean';
