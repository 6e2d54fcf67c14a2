-- new_id() -> uuid, version 7
--
-- Give a notification its name: sortable by time, and telling its day, which is its partition.
--
-- Returns  a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random
-- Note     Put together here on every server: the uuidv7() of PostgreSQL 18 is 0.8 microseconds quicker, but a
--          dump that names it is refused by 15 to 17, and with it the table whose default this is
-- Caller   the default of notifications.id; enqueue
create or replace function notify.new_id() returns uuid
language sql volatile parallel safe
return encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid())
        placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
        from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid;

comment on function notify.new_id() is 'new_id() -> uuid, version 7';
