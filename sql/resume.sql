-- resume(p_id, p_actor, p_key_id) -> since when it is resumed
--
-- End a pause: what comes from now on is sent, and what waits is brought back by the leader, the oldest first.
-- `audit` says who resumed it.
--
-- Args     p_id bigint; p_actor, p_key_id text: the producer and the key that ask (null: the role)
-- Returns  timestamptz, also if it was resumed before, and its last rows are coming back: when they have, the pause is
--          gone. null: there is no such pause
-- Note     It waits for nobody who sets rows aside at this moment: what comes too late for bring_back() is a stray
-- Locks    its row, which nobody waits for but who resumes it as well
-- Plan     primary key
-- Caller   PauseStore.resume; operators call it
create or replace function notify.resume(p_id bigint, p_actor text default null, p_key_id text default null)
returns timestamptz
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_resumed_at timestamptz;
  v_what jsonb;
begin
  update notify.pauses p set resumed_at = clock_timestamp() where p.id = p_id and p.resumed_at is null
  returning p.resumed_at, jsonb_build_object('id', p.id, 'kind', p.kind, 'name', left(p.name, 255), 'channel', p.channel)
  into v_resumed_at, v_what;
  if found then
    perform notify.record_use(coalesce(p_actor, session_user), p_key_id, 'resume', v_what);
    return v_resumed_at;
  end if;
  return (select p.resumed_at from notify.pauses p where p.id = p_id);
end
$$;

comment on function notify.resume(bigint, text, text) is 'resume(p_id, p_actor, p_key_id) -> since when it is resumed';
