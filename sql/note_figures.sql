-- note_figures(p_leader, p_queued, p_quiet, p_sending, p_is_estimate, p_oldest_due_age) -> nothing
--
-- Note how the queue stands, as the leader has just read it, and delete what was noted more than an hour ago.
--
-- Args     p_leader text "host:pid"; the others as lanes() returns them
-- Raises   22023: p_queued has not four counts
-- Note     A row that is more than a day from now is the proof that forget_from() looks for
-- Locks    its row; up to 100 old ones, skipping what is locked; for 100 ms at most
-- Plan     primary key
-- Caller   LeaderStore.note_figures, each GAUGES_INTERVAL_S
create or replace function notify.note_figures(
  p_leader text, p_queued bigint[], p_quiet bigint, p_sending bigint, p_is_estimate boolean, p_oldest_due_age interval)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '100ms'
set enable_seqscan = off as $$
declare
  v_now constant timestamptz := clock_timestamp();
begin
  if array_ndims(p_queued) is distinct from 1 or cardinality(p_queued) <> 4 or array_position(p_queued, null) is not null then
    raise exception using errcode = 'invalid_parameter_value', message = 'p_queued has a count for each of four lanes';
  end if;
  perform notify.forget_from();
  -- Those that are ahead, too: the clock was, and the newest row has to be the last one.
  delete from notify.figures f
  where f.at = any (array(
    select o.at from notify.figures o where o.at < v_now - interval '1 hour' order by o.at limit 100
    for update skip locked))
    or f.at = any (array(
      select o.at from notify.figures o where o.at > v_now + interval '1 second' order by o.at desc limit 100
      for update skip locked));
  insert into notify.figures (at, leader, queued, quiet, sending, is_estimate, oldest_due_s)
  values (v_now, left(p_leader, 250), p_queued, p_quiet, p_sending, p_is_estimate, extract(epoch from p_oldest_due_age))
  on conflict do nothing;
end
$$;

comment on function notify.note_figures(text, bigint[], bigint, bigint, boolean, interval) is
  'note_figures(p_leader, p_queued, p_quiet, p_sending, p_is_estimate, p_oldest_due_age) -> nothing';
