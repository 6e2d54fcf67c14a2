-- depends: 0008-reads

set local search_path = pg_catalog, pg_temp;

-- 0006 looked before it had its constraints, as its lock would have kept everybody out meanwhile. What was
-- inserted in between is brought within the bounds now: nothing could move it any more.
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
