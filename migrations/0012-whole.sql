-- depends: 0011-ledger

set local search_path = pg_catalog, pg_temp;

-- What a partial restore, or somebody's hand, took from tables that are there: `notify migrate` runs all
-- migrations again when faults() misses something. On a whole schema nothing is done, and no lock is taken.
do $$
declare
  v_table text;
  v_name text;
  v_what text;
begin
  for v_table, v_name, v_what in values
    ('notifications', 'id', 'notify.new_id()'),
    ('notifications', 'priority', '2'),
    ('notifications', 'status', '''queued'''),
    ('notifications', 'attempt', '0'),
    ('notifications', 'due_at', 'clock_timestamp()'),
    ('notifications', 'created_at', 'clock_timestamp()'),
    ('attempts', 'counted', 'true'),
    ('slo_daily', 'in_time', '0'),
    ('slo_daily', 'late', '0'),
    ('slo_daily', 'failed', '0'),
    ('slo_daily', 'expired', '0'),
    ('ledger', 'is_only', 'true'),
    ('ledger', 'id', 'gen_random_uuid()')
  loop
    if not exists (select from pg_attribute
      where attrelid = ('notify.' || v_table)::regclass and attname = v_name and atthasdef)
    then
      execute format('alter table notify.%I alter column %I set default %s', v_table, v_name, v_what);
    end if;
  end loop;

  for v_table, v_what in values
    ('notifications', 'id'),
    ('attempts', 'notification_id, attempt'),
    ('slo_daily', 'day, channel, priority'),
    ('slo_deltas', 'id'),
    ('quiet_days', 'day'),
    ('ledger', 'is_only')
  loop
    if not exists (select from pg_index
      where indrelid = ('notify.' || v_table)::regclass and indisprimary)
    then
      execute format('alter table notify.%I add primary key (%s)', v_table, v_what);
    end if;
  end loop;

  -- NOT VALID: a look at every row would keep everybody out for as long as it takes.
  for v_table, v_name, v_what in values
    ('notifications', 'status_is_known',
      'status in (''queued'', ''sending'', ''sent'', ''failed'', ''cancelled'', ''expired'')'),
    ('notifications', 'priority_is_a_lane', 'priority between 0 and 3'),
    ('notifications', 'attempt_is_within_max_attempts', 'attempt between 0 and coalesce(max_attempts, 0)'),
    ('notifications', 'lease_if_and_only_if_sending',
      '(status = ''sending'') = (lease_until is not null) and (status = ''sending'') = (claimed_by is not null)'),
    ('notifications', 'settled_at_if_and_only_if_settled',
      '(status in (''queued'', ''sending'')) = (settled_at is null)'),
    ('slo_deltas', 'result_is_known', 'result in (''in_time'', ''late'', ''failed'', ''expired'')'),
    ('ledger', 'there_is_only_one', 'is_only')
  loop
    if not exists (select from pg_constraint
      where conrelid = ('notify.' || v_table)::regclass and conname = v_name)
    then
      execute format('alter table notify.%I add constraint %I check (%s) not valid', v_table, v_name, v_what);
    end if;
  end loop;
end
$$;
