-- age(p_at, p_created_at, p_send_at) -> interval
--
-- Return how long a notification could have been sent by p_at: since the later of created_at and send_at.
--
-- Returns  zero or more, counted from the year 2000 at the earliest. So infinite times do no harm: PostgreSQL
--          before 17 cannot subtract them, and from 17 on clients cannot read the result
-- Caller   claim(), settle(), end_leases(), requeue()
create or replace function notify.age(
  p_at timestamptz, p_created_at timestamptz, p_send_at timestamptz)
returns interval
language sql immutable parallel safe
return p_at - greatest(least(greatest(p_created_at, p_send_at), p_at), timestamptz '2000-01-01Z');

comment on function notify.age(timestamptz, timestamptz, timestamptz) is
  'age(p_at, p_created_at, p_send_at) -> interval';
