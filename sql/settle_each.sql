-- settle_each(p_ids, p_attempts, ...) -> one row per attempt that was ended, or whose row is locked or refused
--
-- Settle what settle() could not settle as one batch: halve it until each row at fault is alone.
--
-- Moves    as settle() does. A refused row stays sending, and note_refused() writes its attempt down. A row that failed by an error of
--          the server itself (a deadlock, a full disk) is 'locked', so that its outcome is settled later
-- Args     as settle(); p_ends timestamptz: after it no batch is halved, and the rows left over are 'locked'
-- Returns  as settle(), and error: why an attempt is 'refused', PostgreSQL's message
-- Fence    as settle()
-- Locks    as settle(), in a subtransaction for each part
-- Plan     as settle(). Constraint triggers that somebody deferred run at once
-- Caller   workers' Store.settle, when settle() failed
create or replace function notify.settle_each(
  p_ids uuid[], p_attempts integer[], p_outcomes text[], p_codes text[], p_excerpts text[],
  p_started_ago_ms integer[], p_took_ms integer[], p_retry_after_ms integer[],
  p_worker text, p_schedules jsonb, p_patience interval,
  p_ends timestamptz default clock_timestamp() + interval '1 second')
returns table (
  id uuid, attempt integer, status text, due_in interval, age interval, counted boolean, error text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_half integer := cardinality(p_ids) / 2;
  v_error text;
  v_context text;
  v_is_passing boolean;
begin
  set constraints all immediate;
  begin
    return query
    select s.*, null
    from notify.settle(p_ids, p_attempts, p_outcomes, p_codes, p_excerpts, p_started_ago_ms,
      p_took_ms, p_retry_after_ms, p_worker, p_schedules, p_patience) s;
    return;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
    get stacked diagnostics v_context = pg_exception_context;
    v_error := notify.culprit(sqlerrm, v_context);
    v_is_passing := notify.is_servers_own(sqlstate);
  end;

  if v_half = 0 then
    if not v_is_passing then
      perform notify.note_refused(p_ids[1], p_attempts[1], p_outcomes[1], p_codes[1], p_excerpts[1],
        p_started_ago_ms[1], p_took_ms[1], p_worker, p_patience, v_error);
    end if;
    return query
    select p_ids[1], p_attempts[1], case when v_is_passing then 'locked' else 'refused' end,
      null::interval, interval '0', null::boolean, v_error;
  elsif clock_timestamp() < p_ends then
    return query
    select * from notify.settle_each(p_ids[:v_half], p_attempts[:v_half], p_outcomes[:v_half],
      p_codes[:v_half], p_excerpts[:v_half], p_started_ago_ms[:v_half], p_took_ms[:v_half],
      p_retry_after_ms[:v_half], p_worker, p_schedules, p_patience, p_ends);
    v_half := v_half + 1;
    return query
    select * from notify.settle_each(p_ids[v_half:], p_attempts[v_half:], p_outcomes[v_half:],
      p_codes[v_half:], p_excerpts[v_half:], p_started_ago_ms[v_half:], p_took_ms[v_half:],
      p_retry_after_ms[v_half:], p_worker, p_schedules, p_patience, p_ends);
  else
    return query
    select g.id, g.attempt, 'locked', null::interval, interval '0', null::boolean, null
    from unnest(p_ids, p_attempts) as g(id, attempt);
  end if;
end
$$;

comment on function notify.settle_each(uuid[], integer[], text[], text[], text[], integer[], integer[],
  integer[], text, jsonb, interval, timestamptz) is
  'settle_each(p_ids, p_attempts, ...) -> one row per attempt that was ended, or whose row is locked or refused';
