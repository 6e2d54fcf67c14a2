-- create_key(p_id, p_secret_sha256, p_producer, p_kind, ...) -> null, or why none was made
--
-- Keep a new API key: its rights, and a hash of its secret. `audit` says who made it.
--
-- Args     p_id text, of nk_<id>_<secret>; p_secret_sha256 bytea; p_producer, p_kind text; p_scopes text[];
--          p_channels, p_recipients text[] (null: all); p_rate_per_s, p_burst (null: no limit); p_expires_at
--          timestamptz (null: never); p_actor, p_key_id text: the producer and the key that ask (null: the role)
-- Returns  null: it is made and valid; 'too_many_keys': the producer has two valid ones of this kind and scopes
-- Locks    see has_room_for_key()
-- Caller   KeyStore.create
create or replace function notify.create_key(
  p_id text, p_secret_sha256 bytea, p_producer text, p_kind text, p_scopes text[], p_channels text[],
  p_recipients text[], p_rate_per_s double precision, p_burst integer, p_expires_at timestamptz,
  p_actor text, p_key_id text)
returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not notify.has_room_for_key(p_producer, p_kind, p_scopes, null) then
    return 'too_many_keys';
  end if;
  insert into notify.api_keys (id, producer, kind, secret_sha256, scopes, channels, recipients, rate_per_s, burst,
    expires_at, created_by)
  values (p_id, p_producer, p_kind, p_secret_sha256, p_scopes, p_channels, p_recipients, p_rate_per_s, p_burst,
    p_expires_at, coalesce(p_key_id, session_user));
  perform notify.record_use(coalesce(p_actor, session_user), p_key_id, 'keys.create',
    jsonb_build_object('id', p_id, 'producer', p_producer, 'kind', p_kind, 'scopes', p_scopes));
  return null;
end
$$;

comment on function notify.create_key(text, bytea, text, text, text[], text[], text[], double precision, integer,
  timestamptz, text, text) is
  'create_key(p_id, p_secret_sha256, p_producer, p_kind, ...) -> null, or why none was made';
