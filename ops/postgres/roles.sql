-- Roles for people: notify_ops (`notify top`) and notify_reader (Grafana); notify_scaler for what starts workers by the
-- gauges (ops/kubernetes/components/keda); and for programs that send by SQL the group notify_producer, in which nobody
-- logs in: `grant notify_producer to shop`. It may run more than once.
--
-- Docker runs it when it makes the database. Elsewhere a superuser runs it, in our database:
--     NOTIFY_READER_PASSWORD=… NOTIFY_OPS_PASSWORD=… NOTIFY_SCALER_PASSWORD=… psql "$URL" -v ON_ERROR_STOP=1 -f ops/postgres/roles.sql
-- A password that is not set stays as it is; a new role without a password cannot log in.
--
-- The first three cannot change anything, a producer can only send (ops/SQL.md). notify_reader sees payloads and recipients: guard its
-- password like the data. notify_scaler sees neither: it may call gauges(), and read the columns that this counts by.
\getenv reader_password NOTIFY_READER_PASSWORD
\getenv ops_password NOTIFY_OPS_PASSWORD
\getenv scaler_password NOTIFY_SCALER_PASSWORD
\set ON_ERROR_STOP on

begin;

select format('create role %I', name)
from (values ('notify_reader'), ('notify_ops'), ('notify_scaler'), ('notify_producer')) as roles (name)
where not exists (select from pg_roles where rolname = name) \gexec

alter role notify_reader login connection limit 10;
alter role notify_reader set default_transaction_read_only = on;
alter role notify_reader set statement_timeout = '10s';       -- so that a dashboard cannot slow the ledger down
alter role notify_reader set idle_in_transaction_session_timeout = '30s';
alter role notify_ops login connection limit 5;
alter role notify_ops set default_transaction_read_only = on;
alter role notify_scaler login connection limit 5;
alter role notify_scaler set default_transaction_read_only = on;
alter role notify_scaler set statement_timeout = '5s';
alter role notify_producer nologin;
grant pg_monitor to notify_ops;                               -- to see the queries of all roles

\if :{?reader_password}
alter role notify_reader password :'reader_password';
\endif
\if :{?ops_password}
alter role notify_ops password :'ops_password';
\endif
\if :{?scaler_password}
alter role notify_scaler password :'scaler_password';
\endif

-- To measure old transactions, the dispatcher must see the sessions of all roles.
select format('grant pg_read_all_stats to %I', pg_get_userbyid(datdba))
from pg_database where datname = current_database() \gexec

-- Before the first migration the schema is missing; it must belong to the database's owner.
select format('create schema if not exists notify authorization %I', pg_get_userbyid(datdba))
from pg_database where datname = current_database() \gexec
select format('grant connect on database %I to notify_reader, notify_ops, notify_scaler, notify_producer', current_database()) \gexec
grant usage on schema notify to notify_reader, notify_ops, notify_scaler;
grant select on all tables in schema notify to notify_reader, notify_ops;
-- And on tables that the owner makes later, by migrations and for new days.
select format('alter default privileges for role %I in schema notify grant select on tables to notify_reader, notify_ops',
  pg_get_userbyid(nspowner))
from pg_namespace where nspname = 'notify' \gexec
select format('alter role %I in database %I set search_path = "$user", public, notify', name, current_database())
from (values ('notify_reader'), ('notify_ops')) as roles (name) \gexec

-- Which functions they may call, and all that a producer and notify_scaler may do. Each migration does the same.
select 'do $$ begin perform notify.keep_rights(); end $$'
where to_regprocedure('notify.keep_rights()') is not null \gexec

commit;
