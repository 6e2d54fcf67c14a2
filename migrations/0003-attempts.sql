-- depends: 0002-notifications

set local search_path = pg_catalog, pg_temp;

-- One row per ended attempt, append-only; it lives and goes with its notification's day.
create table if not exists notify.attempts (
  notification_id uuid not null,
  attempt integer not null,
  started_at timestamptz not null,        -- when the send began; for lease_expired, when the lease ended
  took_ms integer,                        -- null: nobody knows (lease_expired)
  outcome text not null,
  code text,                              -- HTTP status, SMTP reply or a word of ours
  excerpt text,                           -- the answer's first characters, or the error's
  worker text not null,                   -- "host:pid-token"
  primary key (notification_id, attempt),
  constraint outcome_is_known check (outcome in
    ('sent', 'temporary', 'permanent', 'throttled', 'unknown', 'expired', 'lease_expired'))
) partition by range (notification_id);

create table if not exists notify.attempts_default partition of notify.attempts default;
