-- has_room_for_key(p_producer, p_kind, p_scopes, p_except) -> whether one more may be made
--
-- Keep a producer to two valid API keys of the same kind and scopes: the one it uses, and the one it changes to.
--
-- Args     p_producer, p_kind text; p_scopes text[], in any order; p_except text: the id of a key that does not
--          count, because it is about to end (null: none)
-- Locks    api_keys against other writers until the transaction ends: two at once would both find room
-- Caller   create_key(), rotate_key()
create or replace function notify.has_room_for_key(
  p_producer text, p_kind text, p_scopes text[], p_except text)
returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  lock table notify.api_keys in share row exclusive mode;
  return (
    select count(*) < 2 from notify.api_keys k
    where k.producer = p_producer and k.kind = p_kind and k.scopes <@ p_scopes and k.scopes @> p_scopes
      and k.revoked_at is null and coalesce(k.expires_at > clock_timestamp(), true)
      and k.id is distinct from p_except);
end
$$;

comment on function notify.has_room_for_key(text, text, text[], text) is
  'has_room_for_key(p_producer, p_kind, p_scopes, p_except) -> whether one more may be made';
