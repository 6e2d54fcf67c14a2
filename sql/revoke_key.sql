-- revoke_key(p_id, p_actor, p_key_id) -> whether there is such a key
--
-- End an API key for good. Each API process notices within seconds (service/access/ring.py).
--
-- Args     p_id text; p_actor, p_key_id text: the producer and the key that ask (null: the role)
-- Returns  true, also if it was revoked before; `audit` has a row for each time
-- Locks    the row
-- Caller   KeyStore.revoke
create or replace function notify.revoke_key(p_id text, p_actor text, p_key_id text)
returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  update notify.api_keys k set revoked_at = coalesce(k.revoked_at, clock_timestamp()) where k.id = p_id;
  if not found then
    return false;
  end if;
  perform notify.record_use(coalesce(p_actor, session_user), p_key_id, 'keys.revoke',
    jsonb_build_object('id', p_id));
  return true;
end
$$;

comment on function notify.revoke_key(text, text, text) is
  'revoke_key(p_id, p_actor, p_key_id) -> whether there is such a key';
