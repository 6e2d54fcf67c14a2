-- grant_producer(role, producer) -> nothing
--
-- Let a role of the database send, and see what became of what it sent: membership in notify_producer for owners
-- who may not create roles.
--
-- Args     role name, which exists; producer text, whom it speaks for, 1 to 63 printable characters (null: as
--          before; at first, for itself)
-- Raises   42501: only the owner grants; 42704: there is no such role; 23514: producer is no name
-- Note     It may run again. Each deploy does so for the roles in producer_roles (see keep_rights): they get what
--          is new, and what a restore without privileges or a rollback took. With a new name, watches that the role
--          has made send under it; what they have queued keeps the old one
-- Locks    the row of notify.settings: two GRANTs at once would fail
-- Caller   the migration 9999, by keep_rights(); keep_watch(); an operator
create or replace function notify.grant_producer(role name, producer text default null) returns void
language plpgsql set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
declare
  v_statement text;
begin
  perform notify.check_grant(role);
  perform from notify.settings for update;
  if octet_length(producer) > 252 or length(producer) not between 1 and 63 or producer <> btrim(producer)
    or producer ~ '[\u0001-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]' then
    raise check_violation using constraint = 'producer_is_1_to_63_printable_characters',
      message = 'this is no name for a producer',
      hint = 'Use 1 to 63 printable characters, without spaces around them.';
  end if;
  for v_statement in
    select format('grant %s%s on %s %s to %I', r.privilege, ' (' || r.attribute || ')', r.kind, r.name, role)
    from notify.producer_rights() r
  loop
    execute v_statement;
  end loop;
  insert into notify.producer_roles as p values (role, coalesce(producer, role))
  on conflict on constraint producer_roles_pkey do update set producer = excluded.producer
    where grant_producer.producer is not null;
  perform notify.name_producers();
end
$$;

comment on function notify.grant_producer(name, text) is 'grant_producer(role, producer) -> nothing';
