-- keys(p_id, p_only_valid) -> one row per API key
--
-- List the API keys, without their secrets: only a hash is kept of each.
--
-- Args     p_id text: this one alone (null: all); p_only_valid boolean: leave out what is revoked or expired
-- Returns  the columns of api_keys, newest first
-- Note     What is valid is so at the begin of the statement: valid_keys() asks twice in one
-- Plan     the whole table: one row for each key that was ever made
-- Caller   valid_keys(), KeyStore.listed
create or replace function notify.keys(p_id text, p_only_valid boolean)
returns table (id text, producer text, kind text, secret_sha256 bytea, scopes text[], channels text[],
  recipients text[], rate_per_s double precision, burst integer, created_at timestamptz, created_by text,
  expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
  select k.id, k.producer, k.kind, k.secret_sha256, k.scopes, k.channels, k.recipients, k.rate_per_s, k.burst,
    notify.readable(k.created_at), k.created_by, notify.readable(k.expires_at), notify.readable(k.revoked_at),
    notify.readable(k.last_used_at)
  from notify.api_keys k
  where (p_id is null or k.id = p_id)
    and (not p_only_valid or k.revoked_at is null and coalesce(k.expires_at > statement_timestamp(), true))
  order by k.created_at desc, k.id;
end
$$;

comment on function notify.keys(text, boolean) is 'keys(p_id, p_only_valid) -> one row per API key';
