-- is_too_long(p_payload) -> boolean
--
-- Say that a payload is longer than 256 KiB as text, from what can be seen without making that text: twelve bytes of
-- a number, such as 1e131000 or a 0 with 16,383 decimals, can be 131,000 bytes of it.
--
-- Args     p_payload jsonb
-- Returns  true: its numbers alone are so long, or even the jsonb is, which is at most five times as long as its text.
--          false: make the text, and see
-- Note     It writes one number after the other, and stops where the sum is beyond. `@ >= 0 || @ < 0` are the numbers;
--          a query for an array is linear, jsonb_path_query() is not. A walk takes up to 20 times as long as the
--          text of an honest payload: so unmet_rule() asks only of 32 KiB and more. What is less can be 350 MB as text
-- Caller   unmet_rule()
create or replace function notify.is_too_long(p_payload jsonb) returns boolean
language sql immutable parallel safe
return case
  -- A column of somebody's may be compressed: only the copy has its length.
  when pg_column_size(jsonb_path_query_first(p_payload, '$')) > 5 * 262144 then true
  else exists (
    select from (
      select sum(octet_length(n.number::text)) over (rows unbounded preceding) as bytes
      from jsonb_array_elements(jsonb_path_query_array(p_payload, 'strict $.** ? (@ >= 0 || @ < 0)')) as n(number)
    ) as s
    where s.bytes > 262144)
  end;

comment on function notify.is_too_long(jsonb) is 'is_too_long(p_payload) -> boolean';
