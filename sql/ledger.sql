-- ledger() -> one row
--
-- Say which ledger this is, and what its clock says: Redis's keys hold the one, signatures the other.
--
-- Returns  id text, 16 hexadecimal digits: of the server (its system identifier, which replicas share), of
--          the database in it and of notify.ledger's row, so that neither a restored dump nor a copy made
--          with TEMPLATE has its original's; now_s double precision, seconds since 1970
-- Note     Where the server does not tell who it is, the other two must do. It runs with its owner's rights: a
--          role that may not read all three would know another name than the others
-- Caller   Store.ledger (dispatcher, doctor), workers' Store.ledger
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
