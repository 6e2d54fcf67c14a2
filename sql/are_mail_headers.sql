-- are_mail_headers(p_headers) -> boolean
--
-- Return whether a mail may have these headers: those that header_faults() of service/channels/email.py accepts.
--
-- Args     p_headers jsonb, an object
-- Returns  false: more than 50, a name that senders may not set or that comes twice, or a value that is not
--          one line of at most 998 characters
-- Note     Names are bound when it is created: see unmet_rule. Only the worker finds a token too long to fold.
-- Caller   unmet_mail_rule()
create or replace function notify.are_mail_headers(p_headers jsonb) returns boolean
language sql immutable parallel safe
begin atomic
  select count(*) <= 50
    and count(*) = count(distinct lower(h.name collate "C"))
    and coalesce(bool_and(case
      when jsonb_typeof(h.value) <> 'string' or octet_length(h.name) > 76 then false
      when length(h.value #>> '{}') > 998 then false
      else h.value #>> '{}' !~ '[\u0001-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]'
        and lower(h.name collate "C") ~ '^(?:(?:x|list)-[a-z0-9-]+|auto-submitted|precedence|importance|priority|sensitivity|in-reply-to|references|keywords|comments|organization|feedback-id)$'
      end), true)
  from jsonb_each(p_headers) as h(name, value);
end;

comment on function notify.are_mail_headers(jsonb) is 'are_mail_headers(p_headers) -> boolean';
