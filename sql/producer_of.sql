-- producer_of(p_role) -> text
--
-- Name the producer for which a role of the database speaks: what grant_producer() said, else the role itself.
--
-- Args     p_role text; speaking_role() names the role that speaks
-- Note     accept() does the same by itself, for each row that names no producer: a call would cost it more than
--          the look. In PL/pgSQL the plan is kept; in SQL it would be made for each batch
-- Caller   enqueue_all(), enqueue_keyed(), enqueue(), send(), outcomes()
create or replace function notify.producer_of(p_role text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  return coalesce((select r.producer from notify.producer_roles r where r.role = p_role), p_role);
end
$$;

comment on function notify.producer_of(text) is 'producer_of(p_role) -> text';
