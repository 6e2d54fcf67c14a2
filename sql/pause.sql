-- pause(p_kind, p_name, p_channel, p_reason, p_actor, p_key_id) -> (id, is_new)
--
-- Pause what goes to a destination, by a channel, or comes from a producer: from the commit on nothing of it is
-- claimed. Its notifications stay queued and lose no attempt, until resume(). `audit` says who paused it.
--
-- Args     p_kind text: destination, channel or producer; p_name text: of a destination a URL or an origin, or a
--          mail domain; p_channel text, of a destination (null: email, or webhook if p_name has ://), else null;
--          p_reason text, up to 255 characters, which producers see as well (null: none); p_actor, p_key_id text: the
--          producer and the key that ask (null: the role)
-- Returns  id bigint, of the pause; is_new boolean: false if it was paused already, and then nothing is changed
-- Raises   ND009: the kind is unknown, there is no such channel, the name is none (nor one address: it would be its
--          whole domain), a channel contradicts it, the reason is too long, or 1000 pauses are in force; ND007: a
--          trigger of somebody else drops the pause
-- Note     A notification whose host is spelled beyond ASCII is not covered: only workers know its name in ASCII
-- Locks    none that a claim waits for. What was claimed before the commit is sent
-- Plan     pauses_in_force
-- Caller   PauseStore.pause; operators call it
create or replace function notify.pause(
  p_kind text, p_name text, p_channel text default null, p_reason text default null, p_actor text default null,
  p_key_id text default null)
returns table (id bigint, is_new boolean)
language plpgsql set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on as $$
#variable_conflict use_column
declare
  v_id bigint;
  v_most constant integer := 1000;
  v_channel constant text := case when p_kind = 'destination' then
    coalesce(p_channel, case when p_name like '%://%' then 'webhook' else 'email' end) end;
  v_name constant text := case when p_kind <> 'destination' then p_name
    when v_channel = 'email' then notify.destination_of('email', '@' || p_name)
    else notify.destination_of(v_channel, p_name) end;
  v_contradicts constant boolean := coalesce(
    case p_kind when 'channel' then p_channel <> p_name when 'producer' then p_channel is not null end, false);
  v_fault constant text := case
    when p_kind is null or p_kind not in ('destination', 'channel', 'producer') then 'Pause a destination, a channel or a producer.'
    when v_contradicts then 'Leave channel out: only a destination has one of its own.'
    when p_kind = 'channel' and coalesce(p_name, '') not in ('webhook', 'email', 'log') then 'Use webhook, email or log.'
    when p_kind = 'destination' and v_channel not in ('webhook', 'email') then 'Only webhooks and mails have a destination.'
    when v_channel = 'email' and p_name like '%@%' then
      'A pause holds a whole mail domain, not one address: write what stands behind the @, such as example.org.'
    when p_kind = 'destination' and coalesce(length(v_name) not between 1 and 2048, true) then
      'Give an origin such as https://example.org, or a mail domain such as example.org; beyond ASCII write xn--...'
    when coalesce(length(v_name) not between 1 and 255, true) and p_kind = 'producer' then
      'Give the producer''s name, of 1 to 255 characters.'
    when length(p_reason) > 255 then 'Keep the reason under 256 characters.'
    when concat(v_name, p_reason) ~ '[\u0001-\u001f\u007f-\u009f\u2028\u2029]' then 'Leave out control characters.' end;
begin
  if v_fault is not null then
    raise exception using errcode = 'ND009', message = v_fault,
      column = case when v_contradicts then 'channel' else 'name' end;
  end if;
  if (select count(*) from notify.pauses p where p.resumed_at is null) >= v_most then
    raise exception using errcode = 'ND009', message = format('%s pauses are in force: resume some first.', v_most);
  end if;
  for v_round in 1..3 loop                  -- somebody may end a pause of that name in between
    insert into notify.pauses (kind, name, channel, reason, paused_by, waits_at)
    values (p_kind, v_name, v_channel, p_reason, coalesce(p_actor, session_user), '3000-01-01Z')
    on conflict do nothing
    returning pauses.id into v_id;
    is_new := found;
    exit when is_new;
    select p.id into v_id from notify.pauses p
    where p.resumed_at is null and p.kind = p_kind and p.name = v_name and p.channel is not distinct from v_channel;
    exit when found;
  end loop;
  if v_id is null then
    raise exception using errcode = 'ND007', message = 'the pause was dropped by a trigger that is not the service''s',
      hint = 'See \d notify.pauses for it.';
  end if;
  id := v_id;
  if is_new then
    update notify.pauses p set waits_at = p.waits_at + v_id * interval '1 second' where p.id = v_id;
    perform notify.record_use(coalesce(p_actor, session_user), p_key_id, 'pause',
      jsonb_build_object('id', v_id, 'kind', p_kind, 'name', left(v_name, 255), 'channel', v_channel));
  end if;
  return next;
end
$$;

comment on function notify.pause(text, text, text, text, text, text) is
  'pause(p_kind, p_name, p_channel, p_reason, p_actor, p_key_id) -> (id, is_new)';
