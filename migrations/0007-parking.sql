-- depends: 0006-bounds

set local search_path = pg_catalog, pg_temp;

-- When the notification was first tried: its patience with a receiver that says "not now" begins there.
alter table notify.notifications add column if not exists first_claimed_at timestamptz;

-- Whether the attempt is one of max_attempts. A constant default: no row is rewritten.
alter table notify.attempts add column if not exists counted boolean not null default true;

-- A publication of all tables would refuse the deletes of fold_slo(): this one has no key.
alter table notify.slo_deltas replica identity full;

-- More words. NOT VALID: what is there has passed the narrower rule, and reading it again would lock
-- everybody out for as long as that takes.
do $$
begin
  if not exists (
    select from pg_constraint
    where conrelid = 'notify.attempts'::regclass and conname = 'outcome_is_known'
      and pg_get_constraintdef(oid) like '%deferred%')
  then
    alter table notify.attempts drop constraint if exists outcome_is_known;
    alter table notify.attempts add constraint outcome_is_known check (outcome in ('sent', 'temporary',
      'permanent', 'throttled', 'unreachable', 'deferred', 'unknown', 'expired', 'lease_expired'))
      not valid;
  end if;
end
$$;
