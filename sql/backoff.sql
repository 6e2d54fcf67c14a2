-- backoff(p_attempt, p_base, p_cap, p_retry_after) -> interval
--
-- Return how long to wait before the next attempt: exponential, with equal jitter.
--
-- Args     p_attempt integer, the one that failed, from 1; p_base interval, its first wait; p_cap interval,
--          the longest; p_retry_after interval, what the receiver asked for (null: nothing)
-- Returns  half of base * 2^(attempt - 1) (at most p_cap) plus up to as much again at random; a longer
--          p_retry_after replaces it, up to one hour
-- Caller   retry_in(), end_leases()
create or replace function notify.backoff(
  p_attempt integer, p_base interval, p_cap interval, p_retry_after interval)
returns interval
language sql volatile parallel safe
return greatest(
  least(p_base * power(2, least(p_attempt, 30) - 1), p_cap) * (0.5 + random() / 2),
  least(coalesce(p_retry_after, interval '0'), interval '1 hour'));

comment on function notify.backoff(integer, interval, interval, interval) is
  'backoff(p_attempt, p_base, p_cap, p_retry_after) -> interval';
