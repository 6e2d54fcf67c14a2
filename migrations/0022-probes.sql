-- depends: 0021-rollups

set local search_path = pg_catalog, pg_temp;

-- Which destinations an operator wants to be tried at once: a row for each, written again when it is asked again.
-- ask_probe() asks only for what a living worker keeps back, and removes what is an hour old.
create table if not exists notify.probes (
  channel text not null,
  destination text not null,                                -- as destination_of(); '': the mail server of all
  asked_at timestamptz not null,
  asked_by text,                                            -- a producer; null: anybody
  primary key (channel, destination)
);

do $$
begin
  if not exists (select from pg_index where indrelid = 'notify.probes'::regclass and indisprimary) then
    alter table notify.probes add primary key (channel, destination);
  end if;
end
$$;
