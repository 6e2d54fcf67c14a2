-- refuse(p_constraint, p_column, p_hint) -> never
--
-- Raise the error of a CHECK, with a hint that says what to do.
--
-- Args     p_constraint text, the rule's name; p_column text, where; p_hint text, what to write instead
-- Raises   check_violation (23514) with constraint and column set
-- Caller   accept(), send(), send_many(), check_watch(), keep_watch()
create or replace function notify.refuse(p_constraint text, p_column text, p_hint text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception using
    errcode = 'check_violation', schema = 'notify', table = 'notifications',
    column = p_column, constraint = p_constraint,
    message = format('notifications: %s is refused by constraint "%s"', p_column, p_constraint),
    hint = p_hint;
end
$$;

comment on function notify.refuse(text, text, text) is
  'refuse(p_constraint, p_column, p_hint) -> never';
