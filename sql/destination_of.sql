-- destination_of(p_channel, p_recipient) -> text
--
-- Name the destination of a recipient as workers do: the origin of a URL, the domain of an address.
--
-- Args     p_channel, p_recipient text
-- Returns  of a webhook scheme://host, or scheme://host:port: in one spelling, as service/names/origin.py has it.
--          Of a mail the domain in lower case, without the dot at its end. null: there is none, or it is beyond
--          ASCII, which only workers spell
-- Note     Lengths are not compared by the pattern: {1,253} makes it 200 times slower
-- Caller   explain_parked(), explain_paused(), pause(), covered(), ask_probe(), cancel_matching(), redrive(),
--          page()
create or replace function notify.destination_of(p_channel text, p_recipient text) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on as $$
declare
  v_scheme text;
  v_host text;
  v_port text;
  v_parts text[];
begin
  if p_channel = 'email' then
    v_host := rtrim(substring(p_recipient from '@([^@]+)$'), '.');
    return case when v_host !~ '[^\u0021-\u007e]' then nullif(lower(v_host collate "C"), '') end;
  elsif p_channel <> 'webhook' then
    return null;
  end if;
  v_parts := regexp_match(p_recipient, '^([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\\]*)');
  v_scheme := lower(v_parts[1] collate "C");
  v_parts := regexp_match(regexp_replace(v_parts[2], '^.*@', ''),
    '^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]*))?$');
  if length(v_parts[1]) > 253 or v_parts[1] like '[%' and length(v_parts[1]) not between 4 and 47
    or length(v_parts[2]) > 16 then
    return null;
  end if;
  v_host := lower(v_parts[1] collate "C");
  v_port := ltrim(v_parts[2], '0');
  v_host := case when v_host like '[%' then notify.ipv6_spelled(btrim(v_host, '[]'))
    else notify.ipv4_spelled(regexp_replace(v_host, '\.$', '')) end;
  return v_scheme || '://' || v_host || case
    when coalesce(v_port, '') = '' or v_scheme = 'http' and v_port = '80' or v_scheme = 'https' and v_port = '443' then ''
    else ':' || v_port end;
end
$$;

comment on function notify.destination_of(text, text) is 'destination_of(p_channel, p_recipient) -> text';
