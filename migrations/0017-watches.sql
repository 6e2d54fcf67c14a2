-- depends: 0016-doorway

set local search_path = pg_catalog, pg_temp;

-- What on_change() made: whose changes are told, to whom. Its triggers have the rest of its words, so that whoever
-- changes the table reads none of this. relation is a regclass, which pg_dump writes as a name.
create table if not exists notify.kept_watches (
  id bigint generated always as identity,
  producer text not null,
  made_by text not null,                                    -- a role of the database
  relation regclass not null,
  events text[] not null,
  channel text not null,
  recipient text not null,
  columns text[],                                           -- null: all
  condition text,
  reference text,
  on_error text not null default 'fail',
  created_at timestamptz not null default clock_timestamp(),
  primary key (id),
  constraint on_error_is_known check (on_error in ('fail', 'skip'))
);

-- Statements whose changes a watch could not tell, and that went on: on_error is 'skip'.
create table if not exists notify.watch_faults (
  id bigint generated always as identity,
  watch_id bigint not null,
  at timestamptz not null default clock_timestamp(),
  error text not null,
  primary key (id)
);
create index if not exists watch_faults_watch on notify.watch_faults (watch_id);

-- One row: what a watch's tickets are made of (sql/watch_ticket.sql). Nobody but the owner reads it.
create table if not exists notify.watch_secret (
  is_only boolean not null default true,
  secret bytea not null,
  primary key (is_only),
  constraint there_is_only_one check (is_only)
);
insert into notify.watch_secret (secret)
select uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) where not exists (select from notify.watch_secret);

-- The role that speaks is as in sql/speaking_role.sql: a function in a view needs EXECUTE of whoever reads it.
create or replace view notify.watches with (security_barrier) as
select w.id, w.producer, w.made_by, w.relation, w.events, w.channel, w.recipient, w.columns, w.condition, w.reference,
  w.on_error, w.created_at, (select count(*) from notify.watch_faults f where f.watch_id = w.id) as faults
from (select case current_setting('role') when 'none' then session_user else current_setting('role') end as role) as speaks
join notify.kept_watches w on has_table_privilege(speaks.role, 'notify.kept_watches', 'select')
  or w.producer = coalesce((select p.producer from notify.producer_roles p where p.role = speaks.role), speaks.role);
