-- depends: 0010-quiet-days

set local search_path = pg_catalog, pg_temp;

-- One row: what tells this ledger from a copy of it that has the same server and database, such as a backup
-- of the whole directory that runs beside it. Give one of them a new id then (ops/adr/0017-identity.md).
create table if not exists notify.ledger (
  is_only boolean not null default true,
  id uuid not null default gen_random_uuid(),
  primary key (is_only),
  constraint there_is_only_one check (is_only)
);
insert into notify.ledger select where not exists (select from notify.ledger);
