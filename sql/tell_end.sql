-- tell_end() -> trigger, after a row with notify_on_end has ended
--
-- Ring notify_end: some notification whose producer asked for it has ended. It carries nothing, so that PostgreSQL
-- sends one for each transaction, and tells nobody about others.
--
-- Note     Who listens looks at outcomes() for its own. A row that is redriven, and ends again, rings again
-- Caller   trigger tell_end on notifications
create or replace function notify.tell_end() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_notify('notify_end', '');
  return null;
end
$$;

comment on function notify.tell_end() is 'tell_end() -> trigger, after a row with notify_on_end has ended';
