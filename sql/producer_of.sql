-- producer_of(p_role) -> text
--
-- Name the producer for which a role of the database speaks: what grant_producer() said, else the role itself.
--
-- Args     p_role text; speaking_role() names the role that speaks
-- Note     name_producers() writes its body from notify.producer_roles, so that no row that is inserted costs a look
--          at that table: a quarter of what accept() costs
-- Caller   accept(), enqueue_all(), enqueue_keyed(), enqueue(), send(), send_many(), outcomes(), outcome_of(),
--          unended(), validate(), explain(), keep_watch(), drop_watch(), and the view outcomes; name_producers()
--          writes it
create or replace function notify.producer_of(p_role text) returns text
language sql immutable parallel safe
return p_role;

comment on function notify.producer_of(text) is 'producer_of(p_role) -> text';
