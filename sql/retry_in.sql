-- retry_in(p_outcome, p_is_counted, p_ended, p_schedule, p_asked) -> interval
--
-- Return how long to wait after an attempt that did not deliver. ops/adr/0008-what-counts.md gives the reasons.
--
-- Args     p_outcome text; p_is_counted boolean: the attempt is one of max_attempts; p_ended integer, how many
--          attempts ended before, counted ones if it is counted, else those that are not; p_schedule jsonb,
--          the waits in seconds after the first, second … counted attempt, of which the last repeats;
--          p_asked interval, the wait that the receiver or the worker's pace asks for (null: none)
-- Returns  counted: the schedule's wait, give or take a tenth, but no less than p_asked.
--          deferred: 1, 2, 4, 8, 15 min with jitter, but no less than p_asked.
--          throttled, unreachable: p_asked, but at least 1 s; without it from 1 or 2 s to 1 min with jitter.
--          A p_asked of more than an hour counts as an hour
-- Caller   settle(), end_leases()
create or replace function notify.retry_in(
  p_outcome text, p_is_counted boolean, p_ended integer, p_schedule jsonb, p_asked interval)
returns interval
language sql volatile parallel safe
return case
  when p_is_counted then greatest(
    coalesce((p_schedule ->> least(p_ended, jsonb_array_length(p_schedule) - 1))::double precision, 60)
      * (0.9 + random() / 5) * interval '1 second',
    least(coalesce(p_asked, '0'), interval '1 hour'))
  when p_outcome = 'deferred' then
    notify.backoff(p_ended + 1, interval '1 minute', interval '15 minutes', p_asked)
  when p_asked is not null then
    greatest(least(p_asked, interval '1 hour'), interval '1 second')
  when p_outcome = 'throttled' then
    notify.backoff(p_ended + 1, interval '1 second', interval '1 minute', null)
  else notify.backoff(p_ended + 1, interval '2 seconds', interval '1 minute', null) end;

comment on function notify.retry_in(text, boolean, integer, jsonb, interval) is
  'retry_in(p_outcome, p_is_counted, p_ended, p_schedule, p_asked) -> interval';
