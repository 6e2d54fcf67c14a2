-- producer_of(p_role) -> text
--
-- Name the producer for which a role of the database speaks: what grant_producer() said, else the role itself.
--
-- Args     p_role text; speaking_role() names the role that speaks
-- Note     accept() does the same by itself, for each row that names no producer: a call would cost it more than
--          the look
-- Caller   enqueue_all(), enqueue()
create or replace function notify.producer_of(p_role text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
select coalesce((select r.producer from notify.producer_roles r where r.role = p_role), p_role)
$$;

comment on function notify.producer_of(text) is 'producer_of(p_role) -> text';
