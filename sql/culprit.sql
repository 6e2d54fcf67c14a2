-- culprit(p_message, p_context) -> text
--
-- Add to an error's message where it was raised. Triggers of others run with our search_path, and the message
-- `relation "audit" does not exist` alone would not say which of them must name its schema.
--
-- Args     p_message and p_context text, of the error that was caught
-- Returns  the message, and in brackets the function in which it was raised, unless that is one of ours
-- Caller   claim_each(), settle_each(), release_each(), end_leases(), cancel(), call_off(), requeue(), enqueue(),
--          blank(), erase(), put_off()
create or replace function notify.culprit(p_message text, p_context text) returns text
language sql immutable parallel safe
return left(p_message, 300) || coalesce(' (' || left(
  substring(p_context from '^(?:SQL statement [^\n]*\n)?((?:PL/pgSQL|SQL) function (?!"?notify[.])[^\n]*)'), 190)
  || ')', '');

comment on function notify.culprit(text, text) is 'culprit(p_message, p_context) -> text';
