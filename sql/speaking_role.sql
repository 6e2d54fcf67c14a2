-- speaking_role() -> text
--
-- Name the role that speaks: that of SET ROLE, else that of the session.
--
-- Note     Not current_user: in a function with the rights of its owner that is the owner
-- Caller   enqueue_all(), enqueue_keyed(), enqueue(), send(), send_many(), outcomes(), outcome_of(), unended(),
--          validate(), explain(), keep_watch(), drop_watch(), and the view outcomes
create or replace function notify.speaking_role() returns text
language sql stable parallel safe
return case when current_setting('role') = 'none' then session_user::text else current_setting('role') end;

comment on function notify.speaking_role() is 'speaking_role() -> text';
