-- depends: 0014-take-key

set local search_path = pg_catalog, pg_temp;

-- How far each day's payloads are emptied, and what that cost: sql/empty_payloads.sql keeps it, so that no day is
-- read again and again.
create table if not exists notify.emptied_days (
  day date not null,                                        -- UTC, of the ids; -infinity: rows without a day
  following uuid,                                           -- where the walk goes on; null: it came to the end
  emptied bigint not null,
  left_over bigint not null,                                -- by this walk
  took interval not null,                                   -- of all walks
  looked_at timestamptz not null,
  primary key (day)
);

do $$
begin
  if not exists (select from pg_index where indrelid = 'notify.emptied_days'::regclass and indisprimary) then
    alter table notify.emptied_days add primary key (day);
  end if;
end
$$;
