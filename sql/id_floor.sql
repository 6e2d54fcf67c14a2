-- id_floor(p_time) -> uuid
--
-- Give the smallest id of a moment: the bound of a partition.
--
-- Args     p_time timestamptz
-- Returns  a uuid that sorts before every id made at p_time or later, and after every earlier one
-- Caller   keep_partitions
create or replace function notify.id_floor(p_time timestamptz) returns uuid
language sql immutable parallel safe as $$
  select (lpad(to_hex(floor(extract(epoch from p_time) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

comment on function notify.id_floor(timestamptz) is 'id_floor(p_time) -> uuid';
