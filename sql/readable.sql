-- readable(p_time) -> timestamptz
--
-- Keep a time within the years that every client can read. Constraints refuse other times now, but an older or
-- restored row may have one, and must not make a whole page unreadable.
--
-- Args     p_time timestamptz, or null
-- Returns  p_time; or the start of 1970 or the end of 9999, if it is outside
-- Caller   cancel(), keys(), explain(), page(), living_workers(), destinations(), failing(); column() of service/ledger/columns.py
create or replace function notify.readable(p_time timestamptz) returns timestamptz
language sql immutable parallel safe
return case
  when p_time < '1970-01-01Z' then '1970-01-01Z'
  when p_time > '9999-12-30Z' then '9999-12-30Z'
  else p_time end;

comment on function notify.readable(timestamptz) is 'readable(p_time) -> timestamptz';
