-- is_servers_own(p_sqlstate) -> boolean
--
-- Return whether an SQLSTATE is about the server itself: connections 08, read-only 25, rollbacks 40, resources 53,
-- operators 57, its system 58 and F0, a lock that did not come in time 55P03.
--
-- Returns  true even if a trigger raised it: a trigger may raise any SQLSTATE
-- Caller   blames_row(), settle_each()
create or replace function notify.is_servers_own(p_sqlstate text) returns boolean
language sql immutable parallel safe
return left(p_sqlstate, 2) in ('08', '25', '40', '53', '57', '58', 'F0') or p_sqlstate = '55P03';

comment on function notify.is_servers_own(text) is 'is_servers_own(p_sqlstate) -> boolean';
