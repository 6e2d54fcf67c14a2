-- new_id() -> uuid, version 7
--
-- Make the id of a notification: ids sort by time, and each names its day, which is its partition.
--
-- Returns  a UUIDv7 (RFC 9562, method 3): 48 bits of Unix milliseconds, 12 of a quarter of the microseconds
--          within them, then random bits. Rows that are inserted one after the other have ids in that order, so
--          that a claim of many rows touches few pages: random ids would cost it 2 microseconds per row
-- Note     uuidv7() of PostgreSQL 18 is 0.8 microseconds quicker, but is not used: 15 to 17 could not restore
--          a dump of the table whose default calls it.
--          The clock is read twice, because a function that is inlined cannot keep a value: if a millisecond
--          ends between the two, an id may be up to a millisecond too early
-- Caller   the default of notifications.id; enqueue(), enqueue_all(), enqueue_keyed(), send(),
--          send_many(), validate(), keep_watch()
create or replace function notify.new_id() returns uuid
language sql volatile parallel safe
return encode(
    overlay(uuid_send(gen_random_uuid()) placing int8send(
      (date_part('epoch', clock_timestamp()) * 1000000)::bigint / 1000 << 16
        | 28672                               -- the version, 7
        | date_part('microseconds', clock_timestamp())::integer % 1000 * 4) from 1 for 8),
    'hex')::uuid;

comment on function notify.new_id() is 'new_id() -> uuid, version 7';
