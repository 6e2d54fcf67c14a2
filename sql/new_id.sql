-- new_id() -> uuid, version 7
--
-- Make the id of a notification: ids sort by time, and each names its day, which is its partition.
--
-- Returns  a UUIDv7 (RFC 9562, method 3): 48 bits of Unix milliseconds, the version, 12 bits of 1/4096 of them,
--          then random bits. Rows that are inserted one after the other have ids in that order, so
--          that a claim of many rows touches few pages: random ids would cost it 2 microseconds per row
-- Note     uuidv7() of PostgreSQL 18 is quicker, but is not used: 15 to 17 could not restore
--          a dump of the table whose default calls it.
--          The clock is read once, as one number of which the hexadecimal digits are the first fifteen of the id
-- Caller   the default of notifications.id; enqueue(), enqueue_all(), enqueue_keyed(), send(), send_many(),
--          validate(), keep_watch()
create or replace function notify.new_id() returns uuid
language sql volatile parallel safe
return (
  overlay(lpad(to_hex((date_part('epoch', clock_timestamp()) * 1000000)::bigint * 512 / 125), 15, '0')
    placing '7' from 13 for 0)                                              -- the version
  || substr(encode(uuid_send(gen_random_uuid()), 'hex'), 17))::uuid;

comment on function notify.new_id() is 'new_id() -> uuid, version 7';
