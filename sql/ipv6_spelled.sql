-- ipv6_spelled(p_host) -> text
--
-- Spell an IPv6 address in brackets, as RFC 5952 has it, but an IPv4-mapped one as IPv4.
--
-- Args     p_host text, without brackets
-- Returns  null: it is no IPv6 address
-- Note     ipv6() of service/names/origin.py does the same. inet's own text writes more addresses as IPv4
-- Caller   destination_of()
create or replace function notify.ipv6_spelled(p_host text) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on as $$
declare
  v_address inet;
  v_hex text;
  v_text text;
  v_before text;
begin
  if strpos(p_host, '.') > 0 and p_host !~ ':(\d{1,3}\.){3}\d{1,3}$' then
    return null;                            -- inet also takes three numbers for an address
  end if;
  v_address := p_host::inet;
  if family(v_address) <> 6 then
    return null;
  elsif v_address << '::ffff:0:0/96' then
    return regexp_replace(host(v_address), '^.*:', '');
  end if;
  v_hex := encode(substr(inet_send(v_address), 5), 'hex');
  v_text := ':' || (
    select string_agg(coalesce(nullif(ltrim(substr(v_hex, 4 * n - 3, 4), '0'), ''), '0'), ':' order by n)
    from generate_series(1, 8) n) || ':';
  for n in reverse 8..2 loop
    v_before := v_text;
    v_text := overlay(v_text placing '::' from nullif(strpos(v_text, ':' || repeat('0:', n)), 0) for 2 * n + 1);
    exit when v_text is not null;
    v_text := v_before;
  end loop;
  return '[' || regexp_replace(regexp_replace(v_text, '^:([^:])', '\1'), '([^:]):$', '\1') || ']';
exception when invalid_text_representation then
  return null;
end
$$;

comment on function notify.ipv6_spelled(text) is 'ipv6_spelled(p_host) -> text';
