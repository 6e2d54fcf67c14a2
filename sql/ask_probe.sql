-- ask_probe(p_channel, p_destination, p_asked_by) -> one row
--
-- Ask the workers to try a destination that they keep rows back from, at once: each that does lets one row through,
-- whatever is left of its breaker's open time, of its pace, or of the pause that the receiver asked for.
--
-- Moves    nothing: queued stays queued. Of the rows that were parked, the first to fall due are let fall due in 2 s,
--          when each worker has heard of it: up to 20, one for each worker that may ask; and up to 980 more in 4 s,
--          when the answer is there. If it is a failure again, they are parked again and cost no attempt: one whose
--          patience is over, of which each answer counts, stays, and so does what falls due within 4 s anyway
-- Args     p_channel, p_destination text, as destination_state has them ('': the mail server of all mails);
--          p_asked_by text
-- Returns  (states, kept_by, brought): why it is kept back, in the words of destination_state; by how many living
--          workers; how many rows were brought forward. No row: nobody keeps it back for a reason that a probe could end
-- Note     A row that was never claimed waits for its send_at, or for its turn in a redrive: it stays. Of a domain
--          beyond ASCII none is found, and the next that falls due is the probe
-- Locks    its row of probes; the rows that are brought forward, in the order of their ids, skipping what is locked
-- Plan     destination_state and workers, which are small; notifications_due, the first 5,000 of each lane that are
--          parked for longer, in each range of spans()
-- Caller   VerbStore.ask_probe
create or replace function notify.ask_probe(p_channel text, p_destination text, p_asked_by text default null)
returns table (states text[], kept_by integer, brought integer)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off set enable_bitmapscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
#variable_conflict use_column
declare
  v_now constant timestamptz := clock_timestamp();
  v_first_at constant timestamptz := v_now + interval '2 seconds';
  v_rest_at constant timestamptz := v_now + interval '4 seconds';
  v_look_max constant integer := 5000;
  v_most constant integer := 1000;
  v_first constant integer := 20;
  v_patient_from timestamptz;
  v_ids uuid[] := '{}';
  v_dues timestamptz[];
  v_lo uuid;
  v_hi uuid;
begin
  select array_agg(distinct d.state), count(distinct d.worker) into states, kept_by
  from notify.destination_state d
  join notify.workers w on w.worker = d.worker
    and w.beat_at between v_now - interval '30 seconds' and v_now + interval '30 seconds'
  where d.channel = p_channel and d.destination = p_destination and d.state in ('breaker', 'pace', 'url');
  if kept_by = 0 then
    return;
  end if;

  select coalesce(v_now - min(w.patience), '-infinity') into v_patient_from from notify.workers w
  where w.beat_at between v_now - interval '30 seconds' and v_now + interval '30 seconds';
  for v_lo, v_hi in select s.lo, s.hi from notify.spans(true) s loop
    v_ids := v_ids || array(
      select l.id from unnest('{0,1,2,3}'::smallint[]) as lane
      cross join lateral (
        select n.id, n.due_at, n.channel, n.recipient, n.first_claimed_at, n.is_test
        from notify.notifications n
        where n.status = 'queued' and n.priority = lane and n.due_at > v_rest_at
          and (v_lo is null or n.id between v_lo and v_hi)
        order by n.due_at, n.id
        limit v_look_max
      ) l
      where l.channel = p_channel and l.first_claimed_at > v_patient_from and not l.is_test
        and (p_destination = '' or notify.destination_of(l.channel, l.recipient) = p_destination)
      order by l.due_at, l.id
      limit v_most - cardinality(v_ids));
    exit when cardinality(v_ids) >= v_most;
  end loop;
  select array_agg(g.id order by g.id),
    array_agg(case when g.place <= v_first then v_first_at else v_rest_at end order by g.id)
  into v_ids, v_dues
  from unnest(v_ids) with ordinality as g(id, place);
  brought := notify.bring_forward(v_ids, v_dues, clock_timestamp() + interval '1 second');

  delete from notify.probes p
  where (p.channel, p.destination) in (
    select o.channel, o.destination from notify.probes o
    where o.asked_at < v_now - interval '1 hour'
    for update skip locked);
  insert into notify.probes as p (channel, destination, asked_at, asked_by)
  values (p_channel, p_destination, clock_timestamp(), left(p_asked_by, 255))
  on conflict (channel, destination) do update set asked_at = excluded.asked_at, asked_by = excluded.asked_by;
  return next;
end
$$;

comment on function notify.ask_probe(text, text, text) is
  'ask_probe(p_channel, p_destination, p_asked_by) -> one row';
