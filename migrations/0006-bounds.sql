-- depends: 0005-slo

set local search_path = pg_catalog, pg_temp;

-- What no row may have, whoever writes it: a time with which claim() and due() cannot calculate, or that a
-- client cannot read; a name that is a novel. Every claim and settle runs them, and every statement reads their
-- trees anew (20 microseconds each), so they are two and short
-- (ops/adr/0003-accept-trigger.md); what only a producer says is checked once, by accept().
-- Rows that are in already are brought within the bounds first, as otherwise nothing could move them any more.
-- Somebody's deferred triggers run at once: a table with any that wait cannot be altered.
set constraints all immediate;
update notify.notifications set
  due_at = least('9999-12-30Z', greatest('1970-01-01Z', due_at)),
  created_at = least('9999-12-30Z', greatest('1970-01-01Z', created_at)),
  send_at = case when send_at between '1970-01-01Z' and '9999-12-30Z' then send_at end,
  expires_at = case when expires_at < '1970-01-01Z' then '1970-01-01Z'
    when expires_at <= '9999-12-30Z' then expires_at end,
  lease_until = case when lease_until is not null
    then least('9999-12-30Z', greatest('1970-01-01Z', lease_until)) end,
  settled_at = case when settled_at is not null
    then least('9999-12-30Z', greatest('1970-01-01Z', settled_at)) end,
  channel = left(channel, 63),
  recipient = left(recipient, 2048),
  reference = left(reference, 255),
  claimed_by = left(claimed_by, 250),
  last_error_code = left(last_error_code, 250),
  last_error = left(last_error, 500)
where not (
  least(due_at, created_at, send_at, expires_at, lease_until, settled_at) >= '1970-01-01Z'
    and greatest(due_at, created_at, send_at, expires_at, lease_until, settled_at) <= '9999-12-31Z'
    and greatest(octet_length(channel), octet_length(recipient), octet_length(reference),
      octet_length(claimed_by), octet_length(last_error_code), octet_length(last_error)) <= 8192);

-- NOT VALID: a look at every row of the ledger would keep everybody out for as long as it takes. The days to
-- come have them from their first row.
do $$
declare
  v_day regclass;
begin
  if not exists (select from pg_constraint
    where conrelid = 'notify.notifications'::regclass and conname = 'texts_are_short') then
    -- Days of a partial restore may have it as 0014 says it.
    for v_day in select c.conrelid from pg_constraint c
      where c.connamespace = 'notify'::regnamespace and c.conname = 'texts_are_short' and c.coninhcount = 0
    loop
      execute format('alter table %s drop constraint texts_are_short', v_day);
    end loop;
    -- A column that somebody dropped took one of the two with it.
    alter table notify.notifications
      drop constraint if exists times_are_within_1970_and_9999,
      add constraint times_are_within_1970_and_9999 check (
        least(due_at, created_at, send_at, expires_at, lease_until, settled_at) >= '1970-01-01Z'
        and greatest(due_at, created_at, send_at, expires_at, lease_until, settled_at) <= '9999-12-31Z')
        not valid,
      add constraint texts_are_short check (
        greatest(octet_length(channel), octet_length(recipient), octet_length(reference),
          octet_length(claimed_by), octet_length(last_error_code), octet_length(last_error)) <= 8192)
        not valid;
  end if;
end
$$;
