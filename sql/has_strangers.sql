-- has_strangers() -> boolean
--
-- Return whether a trigger or rule that is not ours acts on what is inserted now: on the parent, on the default
-- partition, on today's and on tomorrow's.
--
-- Plan     pg_trigger by its relation; 10 microseconds
-- Caller   enqueue_all(), enqueue_keyed(), enqueue()
create or replace function notify.has_strangers() returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  v_now timestamp := clock_timestamp() at time zone 'utc';
begin
  return exists (
    select from pg_trigger t
    where t.tgrelid in (
        'notify.notifications'::regclass, 'notify.notifications_default'::regclass,
        to_regclass('notify.notifications' || to_char(v_now, '_YYYYMMDD')),
        to_regclass('notify.notifications' || to_char(v_now + interval '1 day', '_YYYYMMDD')))
      and not t.tgisinternal
      and t.tgfoid not in ('notify.accept'::regproc, 'notify.take_key'::regproc, 'notify.wake'::regproc,
        'notify.tell_end'::regproc))
    or (select c.relhasrules from pg_class c where c.oid = 'notify.notifications'::regclass);
end
$$;

comment on function notify.has_strangers() is 'has_strangers() -> boolean';
