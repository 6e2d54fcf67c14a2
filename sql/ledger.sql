-- ledger() -> one row
--
-- Give the ledger's name, which is in Redis's keys, and the time of its clock, which is in signatures.
--
-- Returns  id text, 16 hexadecimal digits: a hash of the server's system identifier (which replicas share), of
--          the database's oid and of the row of notify.ledger. So neither a restored dump nor a copy made with
--          TEMPLATE has the id of its original; now_s double precision, seconds since 1970
-- Note     If nobody may read the system identifier, the hash is of the other two. It runs with its owner's
--          rights, because a role that may not read all three would get another id than the others
-- Caller   Store.ledger, workers' Store.ledger
create or replace function notify.ledger() returns table (id text, now_s double precision)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_server text;
begin
  begin
    v_server := (select c.system_identifier from pg_control_system() c);
  exception when insufficient_privilege then
    null;
  end;
  id := left(encode(sha256(convert_to(concat_ws(' ', v_server,
    (select d.oid from pg_database d where d.datname = current_database()),
    (select l.id from notify.ledger l)), 'UTF8')), 'hex'), 16);
  now_s := date_part('epoch', clock_timestamp());
  return next;
end
$$;

comment on function notify.ledger() is 'ledger() -> one row';
