-- set_aside(p_ids) -> the ids that no pause covers
--
-- Set those of these notifications aside that a pause covers.
--
-- Moves    nothing: queued stays queued, with its attempts. due_at becomes the pause's waits_at, and the patience
--          begins again with the next claim
-- Args     p_ids uuid[], queued and due
-- Returns  uuid[], in order. What is covered and could not be set aside is left out as well: it is not sent
-- Note     It takes no lock against resume(): what is set aside for a pause that has just ended is brought back by
--          bring_strays_back()
-- Locks    as put_off()
-- Plan     as covered()
-- Caller   claim()
create or replace function notify.set_aside(p_ids uuid[]) returns uuid[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_covered uuid[];
  v_dues timestamptz[];
begin
  select array_agg(c.id order by c.id), array_agg(c.waits_at order by c.id) into v_covered, v_dues
  from notify.covered(p_ids) c;
  perform notify.put_off(v_covered, v_dues, clock_timestamp() + interval '1 second');
  return array(select i from unnest(p_ids) as i except select c from unnest(v_covered) as c order by 1);
end
$$;

comment on function notify.set_aside(uuid[]) is 'set_aside(p_ids) -> the ids that no pause covers';
