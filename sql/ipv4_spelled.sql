-- ipv4_spelled(p_host) -> text
--
-- Spell what inet_aton(3) reads as an IPv4 address as four decimals; any other host stays as it is.
--
-- Args     p_host text in lower case, without a trailing dot. Each of up to four numbers may be decimal, octal (0…) or
--          hexadecimal (0x…); the last one fills the bytes that are left
-- Note     name_or_ipv4() of service/names/origin.py does the same
-- Caller   destination_of()
create or replace function notify.ipv4_spelled(p_host text) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  v_parts text[] := string_to_array(p_host, '.');
  v_last integer := cardinality(v_parts);
  v_base integer;
  v_number bigint;
  v_address bigint := 0;
  v_digits text;
begin
  if v_last is null or v_last not between 1 and 4 then
    return p_host;
  end if;
  for i in 1..v_last loop
    v_base := case when v_parts[i] ~ '^0x[0-9a-f]*$' then 16 when v_parts[i] ~ '^0[0-7]*$' then 8
      when v_parts[i] ~ '^[1-9][0-9]*$' then 10 end;
    v_digits := ltrim(case v_base when 16 then substr(v_parts[i], 3) else v_parts[i] end, '0');
    if v_base is null or length(v_digits) > 11 then
      return p_host;
    end if;
    v_number := 0;
    for j in 1..length(v_digits) loop
      v_number := v_number * v_base + strpos('0123456789abcdef', substr(v_digits, j, 1)) - 1;
    end loop;
    if v_number >= 1::bigint << (case when i < v_last then 8 else 8 * (5 - v_last) end) then
      return p_host;
    end if;
    v_address := v_address + (v_number << (case when i < v_last then 8 * (4 - i) else 0 end));
  end loop;
  return concat_ws('.', v_address >> 24, v_address >> 16 & 255, v_address >> 8 & 255, v_address & 255);
end
$$;

comment on function notify.ipv4_spelled(text) is 'ipv4_spelled(p_host) -> text';
