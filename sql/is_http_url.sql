-- is_http_url(p_url) -> boolean
--
-- Return whether this is one absolute http or https URL in ASCII, as http_url() of service/channels/webhook.py does.
--
-- Args     p_url text; the caller has checked its length
-- Note     Names are bound when it is created: see unmet_rule. It checks in parts, because one pattern for the
--          whole takes 2.2 microseconds a row, and the parts 0.6: only an authority that is more than a name
--          of up to 63 characters needs the long pattern. {1,63} in a pattern would cost more than the look at lengths.
-- Caller   unmet_rule()
create or replace function notify.is_http_url(p_url text) returns boolean
language sql immutable parallel safe
return case
  when p_url ~ '[^\u0021-\u005b\u005d-\u007e]' then false
  when lower(split_part(p_url, '/', 1) collate "C") not in ('http:', 'https:')
    or split_part(p_url, '/', 2) <> '' then false
  when length(split_part(p_url, '/', 3)) < 64
    and split_part(p_url, '/', 3) ~ '^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$' then true
  -- User, name or bracketed address, port from 1 to 65535.
  when p_url !~ '^[^/]*//(?:[!$%&''()*+,;=:._~A-Za-z0-9-]*@)?(?:[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\])(?::0{0,4}(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?(?:[/?#]|$)' then false
  -- What libcurl does not take for a user, and what no resolver looks up.
  when strpos(split_part(p_url, '/', 3), '%00') > 0 and p_url ~ '^[^/]*//[^/?#]*%00' then false
  when length(split_part(p_url, '/', 3)) > 63
    and regexp_replace(p_url, '^[^/]*//(?:[^/?#@]*@)?', '') ~ '^[A-Za-z0-9._-]*[A-Za-z0-9_-]{64}' then false
  when p_url !~ '^[^/]*//[^/?#]*\[' then true
  -- An IPv6 address; the last four bytes may be written as IPv4.
  else regexp_replace(p_url, '(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\]', '0:0]')
    ~* '^[^\[]*\[(?:(?:[\da-f]{1,4}:){7}[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,7}:|(?:[\da-f]{1,4}:){1,6}:[\da-f]{1,4}|(?:[\da-f]{1,4}:){1,5}(?::[\da-f]{1,4}){1,2}|(?:[\da-f]{1,4}:){1,4}(?::[\da-f]{1,4}){1,3}|(?:[\da-f]{1,4}:){1,3}(?::[\da-f]{1,4}){1,4}|(?:[\da-f]{1,4}:){1,2}(?::[\da-f]{1,4}){1,5}|[\da-f]{1,4}:(?::[\da-f]{1,4}){1,6}|:(?::[\da-f]{1,4}){1,7}|::)\]'
  end;

comment on function notify.is_http_url(text) is 'is_http_url(p_url) -> boolean';
