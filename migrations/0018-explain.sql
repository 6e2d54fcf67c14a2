-- depends: 0016-doorway

set local search_path = pg_catalog, pg_temp;

-- What each worker says of itself: a row that it writes again every 10 s, and that says by its age whether the
-- worker lives, in a copy of the ledger as well. No index but the key's, and room on each page: every beat is HOT.
create table if not exists notify.workers (
  worker text not null,                                     -- as claimed_by
  host text not null,
  version text not null,
  environment text,                                         -- ENVIRONMENT; null: none
  channels text[] not null,                                 -- that it can send on
  patience interval not null,                               -- BREAKER_PATIENCE_MINS
  slots integer not null,
  in_flight integer not null,
  settled bigint not null,                                  -- attempts, since it started
  per_s double precision not null,                          -- attempts a second, since the beat before
  started_at timestamptz not null,
  beat_at timestamptz not null,
  primary key (worker)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Which destinations a worker keeps rows back from, and why: written when that begins and when it ends.
create table if not exists notify.destination_state (
  worker text not null,
  channel text not null,
  destination text not null,                                -- as destination_of(); '': the mail server of all
  state text not null,                                      -- breaker, pace, url, share, name
  url_hash text not null,                                   -- of the one recipient that is meant; '': all there
  code text,                                                -- of the answer that opened the breaker
  since timestamptz not null,
  until timestamptz,                                        -- as it was known at first
  primary key (worker, channel, destination, state, url_hash)
);

do $$
begin
  if not exists (select from pg_index where indrelid = 'notify.workers'::regclass and indisprimary) then
    alter table notify.workers add primary key (worker);
  end if;
  if not exists (select from pg_index where indrelid = 'notify.destination_state'::regclass and indisprimary) then
    alter table notify.destination_state add primary key (worker, channel, destination, state, url_hash);
  end if;
end
$$;
