-- depends: 0012-whole

set local search_path = pg_catalog, pg_temp;

-- What the edge knows of a row. Constant defaults: no row is rewritten.
alter table notify.notifications
  add column if not exists producer text,                        -- who enqueued it; accept() sets it
  add column if not exists idempotency_key text,                 -- the producer's; take_key() keeps it unique
  add column if not exists is_test boolean not null default false,   -- played by the worker, never sent outside
  add column if not exists emptied_at timestamptz;               -- since then the payload is gone

-- One row: what SQL must know of the settings, and where the ledger is at home. `notify migrate` and the roles
-- keep it (sql/keep_settings.sql).
create table if not exists notify.settings (
  is_only boolean not null default true,
  environment text,                                         -- ENVIRONMENT; null: never declared
  system_identifier bigint,                                 -- of the server; null: nobody may read it
  database_name text,
  server_started_at timestamptz,                            -- the start for which the identifier was compared
  idempotency_window interval not null default '24 hours',
  keys_turned_at timestamptz not null default clock_timestamp(),     -- see sql/turn_keys.sql
  payload_days integer,                                     -- null: payloads live as long as their rows
  primary key (is_only),
  constraint there_is_only_one check (is_only)
);

-- Copies of this ledger that noticed that they are copies: one row in each of them.
create table if not exists notify.copies (
  system_identifier bigint not null,
  database_name text not null,
  environment text not null,                                -- '': none
  server_started_at timestamptz not null,
  noticed_at timestamptz not null,
  primary key (system_identifier, database_name, environment)
);

-- Which producer a role of the database speaks for; a role without a row is its own producer.
create table if not exists notify.producer_roles (
  role text not null,
  producer text not null,
  primary key (role)
);

-- Idempotency keys: those of now, and those of the window before. Nothing is deleted: when the older ones have
-- passed, they are truncated and the two tables change names.
create table if not exists notify.idempotency_keys (
  producer text not null,
  key text not null,
  request bigint not null,                                  -- a hash of what was asked
  notification_id uuid not null,
  created_at timestamptz not null,
  primary key (producer, key)
);
create table if not exists notify.idempotency_keys_before (
  producer text not null,
  key text not null,
  request bigint not null,
  notification_id uuid not null,
  created_at timestamptz not null,
  primary key (producer, key)
);

-- API keys. Of the secret only a hash is here: 256 random bits need no slow one.
create table if not exists notify.api_keys (
  id text not null,                                         -- nk_<id>_<secret>
  producer text not null,
  kind text not null default 'live',
  secret_sha256 bytea not null,
  scopes text[] not null,
  channels text[],                                          -- null: all
  recipients text[],                                        -- patterns; null: all
  rate_per_s double precision,                              -- null: as fast as it likes
  burst integer,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,                                 -- a key's id, or a role of the database
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,                                 -- written now and then
  primary key (id),
  constraint kind_is_known check (kind in ('live', 'test', 'team')),
  constraint secret_is_sha256 check (octet_length(secret_sha256) = 32)
);

-- Who used which verb, with which key. Sends are not in it.
create table if not exists notify.audit (
  id bigint generated always as identity,
  at timestamptz not null default clock_timestamp(),
  actor text not null,                                      -- a producer, or a role of the database
  key_id text,                                              -- null: a role, or HTTP without keys
  verb text not null,
  detail jsonb not null default '{}',
  primary key (id)
);

do $$
declare
  v_identifier bigint;
begin
  begin
    v_identifier := (select c.system_identifier from pg_control_system() c);
  exception when insufficient_privilege then
    null;
  end;
  insert into notify.settings (system_identifier, database_name)
  select v_identifier, current_database()
  where not exists (select from notify.settings);
end
$$;

-- What somebody's hand took from tables that are there, as 0012 does for the older ones.
do $$
declare
  v_table text;
  v_name text;
  v_what text;
begin
  for v_table, v_name, v_what in values
    ('notifications', 'is_test', 'false'),
    ('settings', 'is_only', 'true'),
    ('settings', 'idempotency_window', '''24 hours'''),
    ('settings', 'keys_turned_at', 'clock_timestamp()'),
    ('api_keys', 'kind', '''live'''),
    ('api_keys', 'created_at', 'clock_timestamp()'),
    ('audit', 'at', 'clock_timestamp()'),
    ('audit', 'detail', '''{}''')
  loop
    if not exists (select from pg_attribute
      where attrelid = ('notify.' || v_table)::regclass and attname = v_name and atthasdef)
    then
      execute format('alter table notify.%I alter column %I set default %s', v_table, v_name, v_what);
    end if;
  end loop;

  for v_table, v_what in values
    ('settings', 'is_only'),
    ('copies', 'system_identifier, database_name, environment'),
    ('producer_roles', 'role'),
    ('idempotency_keys', 'producer, key'),
    ('idempotency_keys_before', 'producer, key'),
    ('api_keys', 'id'),
    ('audit', 'id')
  loop
    if not exists (select from pg_index
      where indrelid = ('notify.' || v_table)::regclass and indisprimary)
    then
      execute format('alter table notify.%I add primary key (%s)', v_table, v_what);
    end if;
  end loop;

  for v_table, v_name, v_what in values
    ('settings', 'there_is_only_one', 'is_only'),
    ('api_keys', 'kind_is_known', 'kind in (''live'', ''test'', ''team'')'),
    ('api_keys', 'secret_is_sha256', 'octet_length(secret_sha256) = 32')
  loop
    if not exists (select from pg_constraint
      where conrelid = ('notify.' || v_table)::regclass and conname = v_name)
    then
      execute format('alter table notify.%I add constraint %I check (%s) not valid', v_table, v_name, v_what);
    end if;
  end loop;
end
$$;
