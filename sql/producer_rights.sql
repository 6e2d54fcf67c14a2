-- producer_rights() -> one row per right
--
-- Name what a producer's role may do. Nothing else is a producer's.
--
-- Returns  (kind, name, privilege, attribute): a word of GRANT for the object, its name, the privilege, and the column
--          that it is for; attribute null: for all of it
-- Note     new_id() is the default of a column, and runs with the rights of whoever inserts; so do producer_of() and
--          speaking_role() in the view outcomes: they tell no more than the catalog tells everybody; and unended()
--          in wait(). What triggers call runs with the owner's.
--          A producer reads that view and no table: RETURNING and ON CONFLICT (id) would need SELECT
-- Caller   grant_producer(), revoke_producer(), rights_amiss()
create or replace function notify.producer_rights()
returns table (kind text, name text, privilege text, attribute text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  return query
  values ('schema', 'notify', 'usage', null::text)
  union all
  select 'table', 'notify.notifications', 'insert', unnest('{id,channel,recipient,payload,priority,send_at,
    expires_at,max_attempts,reference,idempotency_key,traceparent,notify_on_end}'::text[])
  union all
  select 'table', 'notify.outcomes', 'select', null
  union all
  select case p.prokind when 'p' then 'procedure' else 'function' end, p.oid::regprocedure::text, 'execute', null
  from pg_proc p
  where p.pronamespace = 'notify'::regnamespace and p.proname in ('new_id', 'id_floor', 'send', 'send_many', 'outcomes',
    'outcome_of', 'validate', 'explain', 'wait', 'unended', 'producer_of', 'speaking_role',
    'on_change', 'off_change', 'check_watch', 'keep_watch', 'drop_watch', 'open_watch', 'watched', 'watch_query',
    'watch_triggers')
  union all
  select 'table', 'notify.watches', 'select', null;
end
$$;

comment on function notify.producer_rights() is 'producer_rights() -> one row per right';
