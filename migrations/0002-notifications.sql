-- depends: 0001-schema

set local search_path = pg_catalog, pg_temp;

-- One row per notification. What a producer may say is checked once, by the trigger accept; what every
-- transition must keep true is checked here. Partitioned by day on the id (a UUIDv7 sorts by time), because
-- dropping a day is instant and deleting rows is how queues die.
-- Here and in later migrations IF NOT EXISTS, because yoyo commits a migration first and marks it after:
-- one that is killed in between runs again.
create table if not exists notify.notifications (
  id uuid not null default notify.new_id(),
  channel text not null,
  recipient text not null,
  payload jsonb not null,
  priority smallint not null default 2,
  status text not null default 'queued',
  attempt integer not null default 0,
  max_attempts integer,                                     -- null until the first claim fixes it
  send_at timestamptz,                                      -- what the sender said; never changes
  due_at timestamptz not null default clock_timestamp(),    -- ours: retries move it
  expires_at timestamptz,
  lease_until timestamptz,
  claimed_by text,                                          -- "host:pid-token"
  reference text,
  created_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  last_error_code text,
  last_error text,
  primary key (id),
  constraint status_is_known
    check (status in ('queued', 'sending', 'sent', 'failed', 'cancelled', 'expired')),
  constraint priority_is_a_lane
    check (priority between 0 and 3),
  constraint attempt_is_within_max_attempts
    check (attempt between 0 and coalesce(max_attempts, 0)),
  constraint lease_if_and_only_if_sending
    check ((status = 'sending') = (lease_until is not null)
      and (status = 'sending') = (claimed_by is not null)),
  constraint settled_at_if_and_only_if_settled
    check ((status in ('queued', 'sending')) = (settled_at is null))
) partition by range (id);

create table if not exists notify.notifications_default partition of notify.notifications default;

-- What is due, per lane: dispatcher, and workers when Redis is away.
create index if not exists notifications_due on notify.notifications (priority, due_at, id) where status = 'queued';
-- Which leases end next: reaper.
create index if not exists notifications_leased on notify.notifications (lease_until) where status = 'sending';
-- Dead letters, newest first: operators.
create index if not exists notifications_failed on notify.notifications (id) where status = 'failed';
-- The sender's own name for it: GET /notifications?reference=
create index if not exists notifications_reference on notify.notifications (reference, id) where reference is not null;
