-- release_each(p_ids, p_attempts, p_delay) -> the rows given back, and those that were refused
--
-- Give back what release() could not give back as one batch: halve it until each row at fault is alone.
--
-- Moves    as release() does. A refused row stays sending, until reap() takes it
-- Args     as release(); p_ends timestamptz: after it no batch is halved, and the rows left over stay sending
-- Returns  as release(), and error: why a row was refused, PostgreSQL's message; null: it was given back
-- Fence    as release()
-- Locks    as release(), in a subtransaction for each part
-- Plan     as release(). Constraint triggers that somebody deferred run at once
-- Caller   workers' Store.release, when release() failed
create or replace function notify.release_each(
  p_ids uuid[], p_attempts integer[], p_delay interval,
  p_ends timestamptz default clock_timestamp() + interval '1 second')
returns table (id uuid, attempt integer, error text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  v_half integer := cardinality(p_ids) / 2;
  v_error text;
  v_context text;
begin
  set constraints all immediate;
  begin
    return query select r.*, null from notify.release(p_ids, p_attempts, p_delay) r;
    return;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
    get stacked diagnostics v_context = pg_exception_context;
    v_error := notify.culprit(sqlerrm, v_context);
  end;

  if v_half = 0 then
    return query select p_ids[1], p_attempts[1], v_error;
  elsif clock_timestamp() < p_ends then
    return query
    select * from notify.release_each(p_ids[:v_half], p_attempts[:v_half], p_delay, p_ends);
    return query
    select * from notify.release_each(p_ids[v_half + 1:], p_attempts[v_half + 1:], p_delay, p_ends);
  end if;
end
$$;

comment on function notify.release_each(uuid[], integer[], interval, timestamptz) is
  'release_each(p_ids, p_attempts, p_delay) -> the rows given back, and those that were refused';
