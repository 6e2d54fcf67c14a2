-- new_id() -> uuid, version 7
--
-- Give a notification its name: sortable by time, and telling its day, which is its partition.
--
-- Returns  a UUIDv7 (RFC 9562, method 3): 48 bits of Unix milliseconds, 12 of a quarter of the microseconds
--          within them, then random. Rows that are inserted one after the other have ids in that order, so
--          that a claim of many touches few pages: random ones cost it 2 microseconds per row
-- Note     Put together here on every server: the uuidv7() of PostgreSQL 18 is 0.8 microseconds quicker, but a
--          dump that names it is refused by 15 to 17, and with it the table whose default this is.
--          The clock is read twice, as what is to be inlined cannot keep it: when a millisecond ends between,
--          an id may be up to one too early
-- Caller   the default of notifications.id; enqueue
create or replace function notify.new_id() returns uuid
language sql volatile parallel safe
return encode(
    overlay(uuid_send(gen_random_uuid()) placing int8send(
      (date_part('epoch', clock_timestamp()) * 1000000)::bigint / 1000 << 16
        | 28672                               -- the version, 7
        | date_part('microseconds', clock_timestamp())::integer % 1000 * 4) from 1 for 8),
    'hex')::uuid;

comment on function notify.new_id() is 'new_id() -> uuid, version 7';
