-- depends: 0009-bounds-again

set local search_path = pg_catalog, pg_temp;

-- Days of a long ledger that nobody needs to look at before a moment: they hold nothing that is being sent,
-- and nothing that falls due earlier. What says otherwise later is heard by the trigger `stir` of that day's
-- partition (ops/adr/0014-long-retention.md). No row, or one that is past: the day is looked at.
create table if not exists notify.quiet_days (
  day date primary key,                       -- UTC, of the ids
  until timestamptz not null,                 -- infinity: all are settled; -infinity: something stirred
  queued bigint not null,                     -- when it was last tended
  notifications_bytes bigint not null,
  attempts_bytes bigint not null,
  tended_at timestamptz not null
);

-- With a publication of all tables, who has no key cannot delete, unless each deleted row goes to the
-- subscriber whole.
alter table notify.slo_deltas add column if not exists id bigint generated always as identity primary key;
alter table notify.slo_deltas replica identity default;
