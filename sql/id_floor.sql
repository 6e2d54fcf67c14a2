-- id_floor(p_time) -> uuid
--
-- Give the smallest id that a moment can have: the bound of a partition.
--
-- Args     p_time timestamptz; one before 1970 or after 9998 is taken for the start of 1970 or of 9999
-- Returns  a uuid that sorts before every id made at p_time or later, and after every earlier one
-- Caller   tables_of_day(), make_day(), make_days(), sweep_default(), spans(), stretches(), redrive(), cancel_matching(), born_ahead(),
--          outcomes(), page()
create or replace function notify.id_floor(p_time timestamptz) returns uuid
language sql immutable parallel safe
return (
  lpad(to_hex(floor(extract(epoch from least('9999-01-01Z', greatest('epoch', p_time))) * 1000)::bigint),
    12, '0') || repeat('0', 20))::uuid;

comment on function notify.id_floor(timestamptz) is 'id_floor(p_time) -> uuid';
