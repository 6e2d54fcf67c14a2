-- note_refused(p_id, p_attempt, ...) -> nothing
--
-- Write down an attempt that ended, and whose notification PostgreSQL does not let settle() move: so it is not sent
-- again, and end_leases() moves it as that attempt ended, once it may.
--
-- Moves    nothing: the row stays sending, with last_error_code 'refused' and PostgreSQL's message in last_error
-- Args     as settle(), of one attempt; p_error text, PostgreSQL's message
-- Note     What is refused as well is left as it is: without its attempt the row is sent again after its lease
-- Fence    (id, attempt) and status 'sending'
-- Locks    the row, if nobody has it; a subtransaction for each of both
-- Plan     primary keys
-- Caller   settle_each()
create or replace function notify.note_refused(
  p_id uuid, p_attempt integer, p_outcome text, p_code text, p_excerpt text, p_started_ago_ms integer,
  p_took_ms integer, p_worker text, p_patience interval, p_error text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  begin
    insert into notify.attempts
      (notification_id, attempt, started_at, took_ms, outcome, code, excerpt, worker, counted)
    select p_id, p_attempt, clock_timestamp() - p_started_ago_ms * interval '1 millisecond', p_took_ms, p_outcome,
      p_code, left(p_excerpt, 500), p_worker,
      p_outcome not in ('throttled', 'unreachable', 'deferred')
        or coalesce(n.first_claimed_at <= clock_timestamp() - p_patience, p_patience <= '0')
    from notify.notifications n
    where n.id = p_id and n.attempt = p_attempt and n.status = 'sending'
    on conflict do nothing;
  exception when others or assert_failure then
    null;
  end;
  begin
    update notify.notifications n set
      last_error_code = 'refused',
      last_error = left(p_error, 500)
    where n.id = p_id and n.id = (
      select i.id from notify.notifications i where i.id = p_id and i.attempt = p_attempt and i.status = 'sending'
      for update skip locked);
  exception when others or assert_failure then
    null;
  end;
end
$$;

comment on function notify.note_refused(uuid, integer, text, text, text, integer, integer, text, interval, text) is
  'note_refused(p_id, p_attempt, ...) -> nothing';
