-- watch_ticket(p_watch) -> text
--
-- Make the word that lets this transaction, and no other one, speak for a watch.
--
-- Returns  64 hexadecimal digits: a hash of the watch, the session, the transaction's time and a secret of this database
-- Note     It is for functions with the owner's rights alone: keep_rights() gives it to no producer
-- Plan     one row of one page
-- Caller   open_watch(), put_watched(), note_watch_fault()
create or replace function notify.watch_ticket(p_watch bigint) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
  select encode(sha256(convert_to(format('%s %s %s ', p_watch, pg_backend_pid(),
    extract(epoch from transaction_timestamp())), 'UTF8') || s.secret), 'hex')
  from notify.watch_secret s
$$;

comment on function notify.watch_ticket(bigint) is 'watch_ticket(p_watch) -> text';
