-- keep_watch(p_table, p_events, p_channel, ...) -> bigint
--
-- Record a watch of the producer who speaks, and open to PUBLIC what whoever changes a watched table needs.
--
-- Args     as on_change()
-- Returns  its id
-- Raises   42501: who speaks may not send; what accept() would raise of its notifications
-- Note     Without triggers, which only on_change() makes with the rights of its caller, a watch does nothing
-- Caller   on_change()
create or replace function notify.keep_watch(
  p_table regclass, p_events text[], p_channel text, p_recipient text, p_columns text[], p_condition text,
  p_reference text, p_on_error text)
returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_role constant text := notify.speaking_role();
  v_now constant timestamptz := clock_timestamp();
  v_unmet text[];
  v_id bigint;
begin
  perform notify.check_watch(p_table, p_events, p_columns, p_on_error);
  if not has_any_column_privilege(v_role, 'notify.notifications', 'insert') then
    raise insufficient_privilege using message = format('%s may not send', v_role),
      hint = format('The owner of the database: select notify.grant_producer(%L).', v_role);
  end if;
  if p_channel is null or p_recipient is null then
    raise not_null_violation using message = 'a watch needs a channel and a recipient';
  end if;
  if p_channel = 'email' then
    perform notify.refuse('watch_channel_is_no_mail', 'channel',
      'A mail needs a subject and a text, which a watch does not write: send() it from a trigger of yours.');
  end if;
  v_unmet := notify.unmet_rule(notify.new_id(), 'queued', 0, true, p_channel, p_recipient, '{}', 2::smallint, null, null,
    null, v_now, null, v_now, notify.producer_of(v_role), null);
  if v_unmet is not null then
    perform notify.refuse(v_unmet[1], v_unmet[2], v_unmet[3]);
  end if;
  insert into notify.kept_watches
    (producer, made_by, relation, events, channel, recipient, columns, condition, reference, on_error)
  values (notify.producer_of(v_role), v_role, p_table, p_events, p_channel, p_recipient, p_columns, p_condition,
    p_reference, p_on_error)
  returning id into v_id;
  perform notify.open_watches();
  return v_id;
end
$$;

comment on function notify.keep_watch(regclass, text[], text, text, text[], text, text, text) is
  'keep_watch(p_table, p_events, p_channel, ...) -> bigint';
