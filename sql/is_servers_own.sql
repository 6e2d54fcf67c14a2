-- is_servers_own(p_sqlstate) -> boolean
--
-- Say whether an SQLSTATE is one by which the server speaks of itself: connections 08, read-only 25, rollbacks
-- 40, resources 53, operators 57, its system 58 and F0, a lock that was waited for.
--
-- Returns  true also if a trigger raised it, which may raise what it likes
-- Caller   blames_row(), settle_each()
create or replace function notify.is_servers_own(p_sqlstate text) returns boolean
language sql immutable parallel safe
return left(p_sqlstate, 2) in ('08', '25', '40', '53', '57', '58', 'F0') or p_sqlstate = '55P03';

comment on function notify.is_servers_own(text) is 'is_servers_own(p_sqlstate) -> boolean';
