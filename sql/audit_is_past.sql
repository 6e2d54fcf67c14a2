-- audit_is_past(p_id, p_at, p_last) -> boolean
--
-- Return whether a row of the audit may be deleted: no notification of its time is kept any more, and it is older than
-- 400 days, or before the last million.
--
-- Args     p_id bigint and p_at timestamptz, of the row; p_last bigint, the last id
-- Plan     pg_inherits by its parent, only for a row that is old: an entry for each day
-- Caller   record_use(), keep_audit()
create or replace function notify.audit_is_past(p_id bigint, p_at timestamptz, p_last bigint) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select case
    when p_at >= clock_timestamp() - interval '400 days' and p_id > p_last - 1000000 then false
    else not exists (
      select from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'notify.notifications'::regclass and c.relname ~ '^notifications_[0-9]{8}$'
        and right(c.relname, 8) <= to_char(p_at at time zone 'utc', 'YYYYMMDD'))
    end
$$;

comment on function notify.audit_is_past(bigint, timestamptz, bigint) is
  'audit_is_past(p_id, p_at, p_last) -> boolean';
