-- notice_copy(p_environment) -> when it was first noticed
--
-- Note that the ledger is a copy here, for callers of this ENVIRONMENT. What was created before that is the
-- original's to send.
--
-- Args     p_environment text, the caller's ENVIRONMENT; null or '': none
-- Returns  timestamptz; null: the ledger is at home here
-- Note     If this server's clock is behind that of the original, the time is that of the newest row.
--          After another start of the server it is noticed anew: the files of a server may have been copied
--          together with an old notice
-- Caller   Store.notice_copy, workers' Store.notice_copy, discard()
create or replace function notify.notice_copy(p_environment text) returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_noticed_at timestamptz;
begin
  if notify.is_home(p_environment) then
    return null;
  end if;
  insert into notify.copies as c
    (system_identifier, database_name, environment, server_started_at, noticed_at)
  values (coalesce(notify.server_identifier(), 0), current_database(), left(coalesce(p_environment, ''), 255),
    pg_postmaster_start_time(),
    greatest(clock_timestamp(), notify.born_ahead() + interval '1 microsecond'))
  on conflict (system_identifier, database_name, environment) do update set
    server_started_at = excluded.server_started_at,
    noticed_at = case when c.server_started_at = excluded.server_started_at
      then c.noticed_at else excluded.noticed_at end
  returning c.noticed_at into v_noticed_at;
  return v_noticed_at;
end
$$;

comment on function notify.notice_copy(text) is 'notice_copy(p_environment) -> when it was first noticed';
