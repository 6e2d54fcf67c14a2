-- valid_keys(p_digest) -> the valid API keys, unless they are those of p_digest
--
-- Read the valid keys only if they have changed: to read 10,000 takes a process 0.15 s, in which it answers nobody.
--
-- Args     p_digest text: of the answer before; null: read them in any case
-- Returns  (digest, and the columns of keys()), a row for each valid key; a row of the digest alone: none is valid; no
--          row: nothing has changed. The digest is empty if no key was ever made
-- Note     No counter that a trigger raises: a key ends by the clock as well, and what a dump brings back, or a session
--          without triggers, counts too. Hashed are values and not their texts, which settings change. The time of the
--          last use is not in it
-- Plan     the whole table: 10,000 rows in 7 ms
-- Caller   KeyStore.valid
create or replace function notify.valid_keys(p_digest text)
returns table (digest text, id text, producer text, kind text, secret_sha256 bytea, scopes text[], channels text[],
  recipients text[], rate_per_s double precision, burst integer, created_at timestamptz, created_by text,
  expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
  v_digest text := (
    select coalesce(max(concat_ws(' ', c.valid, c.hashes)), '')
    from (
      select count(*) as made, count(v.hash) as valid, sum(v.hash) as hashes
      from notify.api_keys k
      left join lateral (
        select hash_record_extended(row(k.id, k.producer, k.kind, k.secret_sha256, k.scopes, k.channels, k.recipients,
          k.rate_per_s, k.burst, k.created_at, k.created_by, k.expires_at), 0) as hash
        where k.revoked_at is null and coalesce(k.expires_at > statement_timestamp(), true)) v on true) c
    where c.made > 0);
begin
  if v_digest = p_digest then
    return;
  end if;
  return query
  select v_digest, k.* from (select) as one left join notify.keys(null, true) k on true;
end
$$;

comment on function notify.valid_keys(text) is
  'valid_keys(p_digest) -> the valid API keys, unless they are those of p_digest';
