-- new_id() -> uuid, version 7
--
-- Give a notification its name: sortable by time, and telling its day, which is its partition.
--
-- Returns  a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random
-- Note     PostgreSQL 18 has uuidv7(); before it the same layout is put together here
-- Caller   the default of notifications.id; enqueue
do $deploy$
begin
  if current_setting('server_version_num')::int >= 180000 then
    create or replace function notify.new_id() returns uuid
    language sql volatile parallel safe
    return uuidv7();
  else
    create or replace function notify.new_id() returns uuid
    language sql volatile parallel safe
    return encode(
        set_bit(set_bit(
          overlay(uuid_send(gen_random_uuid())
            placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
            from 1 for 6),
          52, 1), 53, 1), 'hex')::uuid;
  end if;
end
$deploy$;

comment on function notify.new_id() is 'new_id() -> uuid, version 7';
