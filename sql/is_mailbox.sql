-- is_mailbox(p_address) -> boolean
--
-- Return whether this is one address as name@domain, as mailbox() of service/text/addresses.py does but without IDNA.
--
-- Args     p_address text of any length
-- Note     Names are bound when it is created: see unmet_rule. It accepts every letter and sign beyond ASCII;
--          only the edge and the workers know which of them a domain may have (IDNA 2008).
-- Caller   unmet_mail_rule()
create or replace function notify.is_mailbox(p_address text) returns boolean
language sql immutable parallel safe
return case
  when octet_length(p_address) > 254 or strpos(p_address, '=?') > 0 then false
  -- The letters and signs of a name and, behind the @, of host names.
  when p_address !~ '^[A-Za-z0-9_.!#$%&''*+/=?^`{|}~\u00a1-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\u2fff\u3001-\ud7ff\uf900-\ufefc\uff01-\uffef\ufffc\ufffd\U00010000-\U000e01ef-]+@[A-Za-z0-9.\u00a1-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\u2fff\u3001-\ud7ff\uf900-\ufefc\uff01-\uffef\ufffc\ufffd\U00010000-\U000e01ef-]+$' then false
  -- Places where dots and hyphens are not allowed.
  when p_address ~ '^[.]|[.][.]|[.]@|@[.-]|@.*(?:-[.]|[.]-)|[.-]$' then false
  when octet_length(p_address) > 63 and p_address ~ '@.*[A-Za-z0-9-]{64}' then false
  when p_address ~ '@(?:.*[.])?(?:[A-WYZa-wyz0-9-][A-Za-z0-9-]|[Xx][A-MO-Za-mo-z0-9-])--' then false
  -- Names that are no mail domains (RFC 6761).
  else lower(p_address collate "C") !~ '[@.](?:arpa|invalid|onion)$' end;

comment on function notify.is_mailbox(text) is 'is_mailbox(p_address) -> boolean';
