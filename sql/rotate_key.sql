-- rotate_key(p_id, p_new_id, p_secret_sha256, p_grace, p_actor, p_key_id) -> null, or why not
--
-- Make a second API key with the rights of one, which ends after a grace.
--
-- Args     p_id text, of the old one; p_new_id text and p_secret_sha256 bytea, of the new one; p_grace interval
--          ('0': the old one ends at once); p_actor, p_key_id text: the producer and the key that ask (null: the
--          role)
-- Returns  null: done; 'key_not_found': there is no such key, or it has ended; 'too_many_keys': the old one would
--          be a third that is valid
-- Note     A key that has an end gets a successor of the same length of life
-- Locks    see has_room_for_key(); the old row
-- Caller   KeyStore.rotate
create or replace function notify.rotate_key(
  p_id text, p_new_id text, p_secret_sha256 bytea, p_grace interval, p_actor text, p_key_id text)
returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_now timestamptz;
  v_old notify.api_keys;
begin
  lock table notify.api_keys in share row exclusive mode;
  v_now := clock_timestamp();               -- not before: the wait may have taken long
  select * into v_old from notify.api_keys k
  where k.id = p_id and k.revoked_at is null and coalesce(k.expires_at > v_now, true);
  if not found then
    return 'key_not_found';
  end if;
  if not notify.has_room_for_key(v_old.producer, v_old.kind, v_old.scopes,
    case when p_grace <= '0' then p_id end)
  then
    return 'too_many_keys';
  end if;
  insert into notify.api_keys (id, producer, kind, secret_sha256, scopes, channels, recipients, rate_per_s, burst,
    created_at, created_by, expires_at)
  values (p_new_id, v_old.producer, v_old.kind, p_secret_sha256, v_old.scopes, v_old.channels, v_old.recipients,
    v_old.rate_per_s, v_old.burst, v_now, coalesce(p_key_id, session_user),
    case when v_old.expires_at = 'infinity' then 'infinity'
      else v_now + (v_old.expires_at - v_old.created_at) end);
  update notify.api_keys k set expires_at = least(k.expires_at, v_now + p_grace) where k.id = p_id;
  perform notify.record_use(coalesce(p_actor, session_user), p_key_id, 'keys.rotate',
    jsonb_build_object('id', p_id, 'new_id', p_new_id));
  return null;
end
$$;

comment on function notify.rotate_key(text, text, bytea, interval, text, text) is
  'rotate_key(p_id, p_new_id, p_secret_sha256, p_grace, p_actor, p_key_id) -> null, or why not';
