-- rest(p_id, p_error) -> whether it rests
--
-- Let a queued row that the database refused wait for a minute, and say why, so that it is tried again and stops no other.
--
-- Moves    nothing: queued stays queued. last_error_code becomes 'refused', last_error the message
-- Args     p_id uuid; p_error text, as culprit() wrote it
-- Returns  false: it is not due any more, somebody holds it, or not even this may be written: it stays due
-- Fence    status queued, and due
-- Locks    the row, unless somebody holds it; a subtransaction
-- Plan     primary key. The status is compared with a sub-select: see claim()
-- Caller   claim_each(), put_off()
create or replace function notify.rest(p_id uuid, p_error text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_queued constant text := 'queued';       -- a variable: see Plan
  v_due_at timestamptz;
begin
  update notify.notifications n set
    due_at = clock_timestamp() + interval '1 minute',
    last_error_code = 'refused',
    last_error = left(p_error, 500)
  where n.id = p_id and n.id = (
    select i.id from notify.notifications i
    where i.id = p_id and i.status = (select v_queued) and i.due_at <= clock_timestamp() for update skip locked)
  returning n.due_at into v_due_at;
  return coalesce(v_due_at > clock_timestamp(), false);   -- a trigger may have put the old row back
exception when others or assert_failure then
  return false;
end
$$;

comment on function notify.rest(uuid, text) is 'rest(p_id, p_error) -> whether it rests';
