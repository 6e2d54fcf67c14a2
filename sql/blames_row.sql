-- blames_row(p_sqlstate) -> boolean
--
-- Say whether an error may be about one row: somebody's trigger, a constraint, an overflow, a value that
-- cannot be read. The others of its batch are then tried without it.
--
-- Returns  false for what the server says of itself: connections 08, read-only 25, rollbacks 40, resources
--          53, operators and time limits 57, its system 58 and F0, and a lock that was waited for
-- Caller   claim_each(), settle_each(), release_each(), end_leases()
create or replace function notify.blames_row(p_sqlstate text) returns boolean
language sql immutable parallel safe
return left(p_sqlstate, 2) not in ('08', '25', '40', '53', '57', '58', 'F0') and p_sqlstate <> '55P03';

comment on function notify.blames_row(text) is 'blames_row(p_sqlstate) -> boolean';
