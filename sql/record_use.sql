-- record_use(p_actor, p_key_id, p_verb, p_detail)
--
-- Write into the audit that somebody used a verb, in the caller's transaction.
--
-- Args     p_actor text, a producer or a role of the database, up to 255 characters (null: the role that calls);
--          p_key_id text, up to 63 (null: no key); p_verb text, up to 63: cancel, redrive, send_again, pause, erase, …;
--          p_detail jsonb, counts and ids, up to 4,096 bytes as text. Longer texts are cut; of a longer detail only
--          its length is kept. No detail holds a recipient, a payload or a secret
-- Note     The table does not grow for ever: each use also deletes up to two of the oldest rows, if audit_is_past().
--          Nothing else is ever deleted or changed: see keep_audit()
-- Locks    the rows that it deletes, skipping what is locked
-- Plan     primary key, from its head
-- Caller   Store.record_use, VerbStore.cancel, VerbStore.redrive, VerbStore.cancel_matching, VerbStore.ask_probe,
--          VerbStore.send_again, erase(), create_key(), revoke_key(), rotate_key(), pause(), resume()
create or replace function notify.record_use(p_actor text, p_key_id text, p_verb text, p_detail jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
declare
  v_bytes integer := octet_length(p_detail::text);
  v_id bigint;
begin
  insert into notify.audit (actor, key_id, verb, detail)
  values (coalesce(left(p_actor, 255), current_user), left(p_key_id, 63), left(p_verb, 63),
    case when v_bytes > 4096 then jsonb_build_object('bytes', v_bytes)
      when jsonb_typeof(p_detail) = 'object' then p_detail
      else jsonb_strip_nulls(jsonb_build_object('detail', p_detail)) end)
  returning id into v_id;
  delete from notify.audit
  where id = any (array(
    select o.id
    from (select a.id, a.at from notify.audit a order by a.id limit 2 for update skip locked) o
    where notify.audit_is_past(o.id, o.at, v_id)));
end
$$;

comment on function notify.record_use(text, text, text, jsonb) is 'record_use(p_actor, p_key_id, p_verb, p_detail)';
