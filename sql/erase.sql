-- erase(p_recipients, p_reference, p_after, p_limit, p_look_max, p_dry_run) -> one row
--
-- Take a person out of the ledger, some rows at a time. Status, times, codes and counts stay: no figure changes.
--
-- Moves    queued -> cancelled, by cancel(); then recipient 'erased' and emptied_at, and by blank() no payload,
--          reference, idempotency key, last error or answer
-- Args     p_recipients, p_reference, p_after, p_limit, p_look_max as find_person(); p_dry_run: change nothing
-- Returns  (matched, erased, cancelled, attempts, keys, sending, locked, refused, following): how many match; how
--          many of them are erased, cancelled first (they count as erased, too); how many attempts lost an answer;
--          how many idempotency keys are gone. What is left: being sent; locked by somebody at this moment; refused
--          by a trigger or constraint (a warning names them). The cursor for the next call, null at the end. A dry
--          run tells what would be, without those that would be locked or refused
-- Fence    settled_at; queued. What is being sent stays with its worker: call again when it has ended
-- Locks    the rows, in the order of their ids, skipping what is locked
-- Plan     find_person(); primary keys, within the partitions of the ids
-- Note     With the idempotency key its row goes, too: a request repeated with that key is a new one.
--          What it did is a row of the audit, which holds no recipient
-- Caller   PersonStore.erase
create or replace function notify.erase(
  p_recipients text[], p_reference text, p_after uuid, p_limit integer, p_look_max integer, p_dry_run boolean)
returns table (matched integer, erased integer, cancelled integer, attempts integer, keys integer,
  sending integer, locked integer, refused integer, following uuid)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on
set row_security = off as $$
#variable_conflict use_column
declare
  v_asked uuid[];
  v_lo uuid;
  v_hi uuid;
  v_ids uuid[];
  v_context text;
  v_sending constant text := 'sending';     -- a variable: no partial index can be used then
begin
  select f.ids, f.following into v_asked, following
  from notify.find_person(p_recipients, p_reference, p_after, p_limit, p_look_max) f;
  matched := cardinality(v_asked);
  v_lo := v_asked[1];
  v_hi := v_asked[matched];
  locked := 0;
  refused := 0;

  if p_dry_run then
    select count(*) filter (where n.status <> 'sending'), count(*) filter (where n.status = 'queued'),
      count(*) filter (where n.status = 'sending')
    into erased, cancelled, sending
    from notify.notifications n where n.id = any (v_asked) and n.id between v_lo and v_hi;
    select count(*) into attempts from notify.attempts a
    join notify.notifications n on n.id = a.notification_id
    where a.notification_id = any (v_asked) and a.notification_id between v_lo and v_hi
      and n.id = any (v_asked) and n.id between v_lo and v_hi
      and n.status <> 'sending' and a.excerpt is not null;
    select count(*) into keys from notify.notifications n
    join (select * from notify.idempotency_keys union all select * from notify.idempotency_keys_before) k
      on k.producer = n.producer and k.key = n.idempotency_key and k.notification_id = n.id
    where n.id = any (v_asked) and n.id between v_lo and v_hi and n.status <> 'sending';
    return next;
    return;
  end if;

  begin
    select count(*) filter (where c.was_cancelled), count(*) filter (where c.status = 'refused')
    into cancelled, refused from notify.cancel(v_asked) c;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
    get stacked diagnostics v_context = pg_exception_context;
    raise warning 'notification % is not cancelled: %', v_lo, notify.culprit(sqlerrm, v_context);
    cancelled := 0;
    refused := 1;                           -- cancel() raises if there is only one
  end;
  v_ids := array(
    select n.id from notify.notifications n
    where n.id = any (v_asked) and n.id between v_lo and v_hi and n.settled_at is not null
    order by n.id
    for update skip locked);
  select b.notifications, b.attempts, b.keys into erased, attempts, keys
  from notify.blank(v_ids, true, clock_timestamp() + interval '1 second') b;
  refused := refused + cardinality(v_ids) - erased;
  select least(count(*), matched - erased - refused) into sending from notify.notifications n
  where n.id = any (v_asked) and n.id between v_lo and v_hi and n.status = (select v_sending);
  locked := matched - erased - refused - sending;
  if erased > 0 then
    perform notify.record_use(null, null, 'erase', jsonb_build_object(
      'by', case when p_reference is null then 'recipient' else 'reference' end,
      'notifications', erased, 'cancelled', cancelled, 'attempts', attempts, 'keys', keys));
  end if;
  return next;
end
$$;

comment on function notify.erase(text[], text, uuid, integer, integer, boolean) is
  'erase(p_recipients, p_reference, p_after, p_limit, p_look_max, p_dry_run) -> one row';
