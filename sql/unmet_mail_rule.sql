-- unmet_mail_rule(p_recipient, p_payload) -> {rule, column, hint}
--
-- Name the first rule that a new mail breaks: service/channels/email.py has the same rules.
--
-- Args     p_recipient text, p_payload jsonb; unmet_rule() has checked their sizes before
-- Returns  text[]; null: none
-- Note     Names are bound when it is created: see unmet_rule
-- Caller   accept(), validate()
create or replace function notify.unmet_mail_rule(p_recipient text, p_payload jsonb) returns text[]
language sql immutable parallel safe
return case
  when not notify.is_mailbox(p_recipient) then
    array['email_recipient_is_one_mailbox', 'recipient',
      'Give one address as name@domain, without a display name.']
  when jsonb_typeof(p_payload) <> 'object'
    or coalesce(jsonb_typeof(p_payload -> 'subject'), '') <> 'string'
    or 'string' not in (coalesce(jsonb_typeof(p_payload -> 'text'), ''),
                        coalesce(jsonb_typeof(p_payload -> 'html'), '')) then
    array['email_payload_has_subject_and_body', 'payload',
      'Give an object with the strings subject and text, or subject and html, or all three.']
  when p_payload - '{subject,text,html,reply_to,headers}'::text[] <> '{}' then
    array['email_payload_has_known_members_only', 'payload',
      'Use subject, text, html, reply_to and headers only: one mailbox gets the mail.']
  when coalesce(jsonb_typeof(p_payload -> 'text'), 'null') not in ('string', 'null')
    or coalesce(jsonb_typeof(p_payload -> 'html'), 'null') not in ('string', 'null')
    or coalesce(jsonb_typeof(p_payload -> 'reply_to'), 'null') not in ('string', 'null')
    or coalesce(jsonb_typeof(p_payload -> 'headers'), 'null') not in ('object', 'null') then
    array['email_payload_members_have_their_types', 'payload',
      'Give text, html and reply_to as strings, and headers as an object of strings.']
  when length(p_payload ->> 'subject') > 998
    or p_payload ->> 'subject' ~ '[\u0001-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]' then
    array['email_subject_is_one_line', 'payload',
      'Give a subject of at most 998 characters, without line breaks and control characters.']
  when not notify.is_mailbox(p_payload ->> 'reply_to') then
    array['email_reply_to_is_one_mailbox', 'payload',
      'Give reply_to as one address as name@domain, without a display name.']
  when jsonb_typeof(p_payload -> 'headers') = 'object'
    and not notify.are_mail_headers(p_payload -> 'headers') then
    array['email_headers_may_be_set', 'payload',
      'Use up to 50 headers, each once: X-..., List-..., Auto-Submitted, Precedence and their like, '
      'with one line of at most 998 characters.']
  end;

comment on function notify.unmet_mail_rule(text, jsonb) is
  'unmet_mail_rule(p_recipient, p_payload) -> {rule, column, hint}';
