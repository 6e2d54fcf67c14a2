-- depends: 0024-lose-home

set local search_path = pg_catalog, pg_temp;

-- From when on history may be forgotten: days, payloads, idempotency keys. Null: it may (sql/forget_from.sql).
alter table notify.settings add column if not exists forget_from timestamptz;
