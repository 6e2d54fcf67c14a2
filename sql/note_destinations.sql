-- note_destinations(p_worker, p_begun, p_ended) -> nothing
--
-- Note from which destinations a worker keeps rows back from now on, and from which no longer.
--
-- Args     p_worker text; p_begun jsonb, an array of {channel, destination, state, url_hash, code, ago_s, in_s}: since
--          when, and until when as far as that is known (null: it is not); p_ended jsonb, the same without the last
--          three. Up to 1000 of each
-- Locks    its rows, for 100 ms at most
-- Plan     primary key
-- Caller   workers' HeartStore.note_destinations, when something has begun or ended
create or replace function notify.note_destinations(p_worker text, p_begun jsonb, p_ended jsonb) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '100ms' as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
begin
  delete from notify.destination_state d
  using jsonb_to_recordset(p_ended) as e(channel text, destination text, state text, url_hash text)
  where d.worker = p_worker and d.channel = e.channel and d.destination = e.destination and d.state = e.state
    and d.url_hash = e.url_hash;
  insert into notify.destination_state as d (worker, channel, destination, state, url_hash, code, since, until)
  select p_worker, b.channel, b.destination, b.state, b.url_hash, b.code,
    v_now - make_interval(secs => b.ago_s), v_now + make_interval(secs => b.in_s)
  from jsonb_to_recordset(p_begun) as b(channel text, destination text, state text, url_hash text, code text,
    ago_s double precision, in_s double precision)
  limit 1000
  on conflict (worker, channel, destination, state, url_hash) do update set
    code = excluded.code, since = excluded.since, until = excluded.until;
end
$$;

comment on function notify.note_destinations(text, jsonb, jsonb) is
  'note_destinations(p_worker, p_begun, p_ended) -> nothing';
