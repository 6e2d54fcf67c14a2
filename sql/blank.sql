-- blank(p_ids, p_is_person, p_ends) -> how many rows of each table
--
-- Take the payload out of notifications that have ended; of a person that is to be erased, all else that says who
-- it was. A batch that the database refuses is halved until the row at fault is alone.
--
-- Moves    nothing: the status stays
-- Args     p_ids uuid[], ended, locked by the caller, in order; p_is_person boolean: also recipient (then 'erased'),
--          reference, idempotency key, last error and the answers in attempts; p_ends timestamptz: after it no
--          batch is halved
-- Returns  (notifications, attempts, keys): how many of each were changed; a warning names each refused row. Rows for
--          which no time was left do not count
-- Fence    settled_at: the caller checked it when it took the locks (for update skip locked)
-- Locks    those that the caller holds already, and the attempts' rows; a subtransaction for each part
-- Plan     primary keys, within the partitions of the ids
-- Caller   erase(), empty_payloads()
create or replace function notify.blank(p_ids uuid[], p_is_person boolean, p_ends timestamptz)
returns table (notifications integer, attempts integer, keys integer)
language plpgsql set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan set enable_seqscan = off
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_count integer := cardinality(p_ids);
  v_half integer := v_count / 2;
  v_lo uuid := p_ids[1];
  v_hi uuid := p_ids[v_count];
  v_keys integer;
  v_left integer := 0;                      -- rows of attempts and keys that a trigger left as they were
  v_context text;
begin
  notifications := 0;
  attempts := 0;
  keys := 0;
  if v_count = 0 then
    return next;
    return;
  end if;
  set constraints all immediate;
  begin
    if p_is_person then
      delete from notify.idempotency_keys k using notify.notifications n
      where n.id = any (p_ids) and n.id between v_lo and v_hi
        and k.producer = n.producer and k.key = n.idempotency_key and k.notification_id = n.id;
      get diagnostics keys = row_count;
      delete from notify.idempotency_keys_before k using notify.notifications n
      where n.id = any (p_ids) and n.id between v_lo and v_hi
        and k.producer = n.producer and k.key = n.idempotency_key and k.notification_id = n.id;
      get diagnostics v_keys = row_count;
      keys := keys + v_keys;
      update notify.attempts a set excerpt = null
      where a.notification_id = any (p_ids) and a.notification_id between v_lo and v_hi and a.excerpt is not null;
      get diagnostics attempts = row_count;
      select (select count(*) from notify.attempts a
          where a.notification_id = any (p_ids) and a.notification_id between v_lo and v_hi and a.excerpt is not null)
        + (select count(*) from notify.notifications n
          join notify.idempotency_keys k on k.producer = n.producer and k.key = n.idempotency_key
          where n.id = any (p_ids) and n.id between v_lo and v_hi and k.notification_id = n.id)
        + (select count(*) from notify.notifications n
          join notify.idempotency_keys_before k on k.producer = n.producer and k.key = n.idempotency_key
          where n.id = any (p_ids) and n.id between v_lo and v_hi and k.notification_id = n.id)
      into v_left;
    end if;
    with moved as (
      update notify.notifications n set
        payload = 'null',
        emptied_at = coalesce(n.emptied_at, clock_timestamp()),
        recipient = case when p_is_person then 'erased' else n.recipient end,
        reference = case when p_is_person then null else n.reference end,
        idempotency_key = case when p_is_person then null else n.idempotency_key end,
        last_error = case when p_is_person then null else n.last_error end
      where n.id = any (p_ids) and n.id between v_lo and v_hi
      returning n.payload, n.emptied_at, n.recipient, n.reference, n.idempotency_key, n.last_error
    )
    -- What is gone counts, not what was to go: a trigger may keep the old values.
    select count(*) into notifications from moved m
    where m.payload = 'null' and m.emptied_at is not null and (not p_is_person
      or m.recipient = 'erased' and m.reference is null and m.idempotency_key is null and m.last_error is null);
    if notifications < v_count or v_left > 0 then
      raise exception 'a trigger left it out';
    end if;
    return next;
    return;
  exception when others or assert_failure then
    if not notify.blames_row(sqlstate) then
      raise;
    end if;
    if v_count = 1 then
      get stacked diagnostics v_context = pg_exception_context;
      raise warning 'notification % is not emptied: %', v_lo, notify.culprit(sqlerrm, v_context);
    end if;
  end;
  if v_half = 0 or clock_timestamp() >= p_ends then
    return query select 0, 0, 0;
    return;
  end if;
  return query
  select sum(b.notifications)::integer, sum(b.attempts)::integer, sum(b.keys)::integer
  from (
    select * from notify.blank(p_ids[:v_half], p_is_person, p_ends)
    union all
    select * from notify.blank(p_ids[v_half + 1:], p_is_person, p_ends)) b;
end
$$;

comment on function notify.blank(uuid[], boolean, timestamptz) is
  'blank(p_ids, p_is_person, p_ends) -> how many rows of each table';
