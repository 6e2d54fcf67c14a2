-- take_key() -> trigger, before each inserted row that has an idempotency key
--
-- Take the producer's key for the row, in the same transaction. If the same request has taken it, the row is
-- dropped without an error: it is in the ledger already.
--
-- Raises   ND004: another request has taken the key; constraint idempotency_key_reused, and a hint. ND007: a
--          trigger of somebody else keeps the key from being taken, or given back. 40001, at REPEATABLE READ and
--          above: the key was taken by a transaction that this one cannot see; at SERIALIZABLE also where a
--          repetition was looked up beside keys that others take
-- Locks    the key, until the transaction ends: a second transaction with the same key waits for the first, and
--          takes over if it rolls back. Both tables of keys, against turn_keys()
-- Note     Its trigger is named "~take_key", because triggers fire in the order of their names: it fires last,
--          so that a row that another one drops or refuses takes no key.
--          Where notify.keys is "taken" it does not fire: enqueue_keyed() has taken the keys by then. Who sets it
--          in a session of their own gives up their own keys, nobody else's.
--          Where notify.repeats is set, the id of a row that it drops is added there, so that send() knows it from one
--          that a trigger of somebody else dropped.
--          A mailbox may come in another spelling than first: the API normalizes it, SQL does not. So the hash of the
--          first spelling counts as well, read from the first row, if that is the producer's own (a key's row need not
--          be: they choose its id): keys of every release have it.
--          Keys of before the last turn are only looked at. A transaction whose snapshot is older than the turn
--          does not see them there: so at REPEATABLE READ and above it inserts into both tables, and an unseen
--          key raises 40001.
--          At SERIALIZABLE it does not look for a new key either: the look would lock the page of the index into which
--          others insert theirs, and any two transactions with two keys each would refuse one another (40001). It inserts
--          into the older table at once, and takes the row in the newer one back if the key was known there.
--          Keys are older than the window if turn_keys() did not come by: then they are taken over.
--          It runs with its owner's rights and the producer's search_path: see accept(). On a table of
--          somebody's own it would let them take the keys of others.
--          It assigns a column to itself at its end: of a row that comes back as it went in PostgreSQL keeps a copy
--          until the statement ends, its payload included (ExecBRInsertTriggers)
-- Plan     the primary keys of idempotency_keys, idempotency_keys_before and notifications; one statement for a new key
-- Caller   trigger "~take_key" on notifications
create or replace function notify.take_key() returns trigger
language plpgsql security definer as $$
declare
  v_request constant pg_catalog.int8 := notify.request_hash(new.channel, new.recipient, new.payload,
    new.priority, new.send_at, new.expires_at, new.max_attempts, new.reference, new.is_test);
  v_first pg_catalog.int8;
  v_first_id pg_catalog.uuid;
  v_again pg_catalog.int8;
  v_rounds pg_catalog.int4 := 0;
  v_isolation constant pg_catalog.text := pg_catalog.current_setting('transaction_isolation');
  v_has_taken pg_catalog.bool;
begin
  if tg_table_schema operator(pg_catalog.<>) 'notify' then
    raise exception 'notify.take_key() is for notify.notifications alone';
  end if;
  insert into notify.idempotency_keys (producer, key, request, notification_id, created_at)
  select new.producer, new.idempotency_key, v_request, new.id, new.created_at
  where v_isolation operator(pg_catalog.=) 'serializable' or not exists (
    select from notify.idempotency_keys_before b
    where b.producer operator(pg_catalog.=) new.producer and b.key operator(pg_catalog.=) new.idempotency_key)
  on conflict (producer, key) do nothing;
  v_has_taken := found;
  if v_has_taken and v_isolation operator(pg_catalog.=) 'serializable' then
    insert into notify.idempotency_keys_before (producer, key, request, notification_id, created_at)
    values (new.producer, new.idempotency_key, v_request, new.id, new.created_at)
    on conflict (producer, key) do nothing;
    v_has_taken := found;
    if not v_has_taken then
      delete from notify.idempotency_keys k
      where k.producer operator(pg_catalog.=) new.producer and k.key operator(pg_catalog.=) new.idempotency_key;
      if not found then                       -- or it would look like the first request
        raise exception using errcode = 'ND007', message = 'a trigger of somebody else keeps the key from being given back',
          hint = 'See the triggers of notify.idempotency_keys for it.';
      end if;
    end if;
  end if;
  while not v_has_taken loop
    select k.request, k.notification_id into v_first, v_first_id
    from notify.known_key(new.producer, new.idempotency_key) as k;
    v_again := v_request;
    if v_first operator(pg_catalog.<>) v_request and new.channel operator(pg_catalog.=) 'email' then
      v_again := (
        select notify.request_hash(new.channel, n.recipient, new.payload, new.priority, new.send_at, new.expires_at,
          new.max_attempts, new.reference, new.is_test)
        from notify.notifications n
        where n.id operator(pg_catalog.=) v_first_id and n.producer operator(pg_catalog.=) new.producer
          and notify.folded(n.recipient) operator(pg_catalog.=) notify.folded(new.recipient));
    end if;
    if v_first operator(pg_catalog.=) v_again then
      if pg_catalog.current_setting('notify.repeats', true) operator(pg_catalog.<>) '' then
        perform pg_catalog.set_config('notify.repeats',
          pg_catalog.concat(pg_catalog.current_setting('notify.repeats'), new.id, ','), true);
      end if;
      return null;
    elsif v_first is not null then
      raise exception using
        errcode = 'ND004', schema = 'notify', table = 'notifications', column = 'idempotency_key',
        constraint = 'idempotency_key_reused',
        message = 'notifications: idempotency_key was used for another request',
        hint = 'Use a new key for a new request; repeat a request with the same key only unchanged.';
    end if;
    if v_rounds operator(pg_catalog.=) 10 then    -- a key that is neither known nor free is so for one round
      raise exception using errcode = 'ND007', message = 'a trigger of somebody else keeps the key from being taken',
        hint = 'See the triggers of notify.idempotency_keys for it.';
    end if;
    v_rounds := v_rounds operator(pg_catalog.+) 1;
    insert into notify.idempotency_keys as k (producer, key, request, notification_id, created_at)
    values (new.producer, new.idempotency_key, v_request, new.id, new.created_at)
    on conflict (producer, key) do update
      set request = excluded.request, notification_id = excluded.notification_id,
        created_at = excluded.created_at
      where k.created_at operator(pg_catalog.<=) (pg_catalog.clock_timestamp() operator(pg_catalog.-) coalesce(
        (select s.idempotency_window from notify.settings s), '24 hours'::pg_catalog.interval));
    v_has_taken := found;
  end loop;
  if v_isolation operator(pg_catalog.=) any ('{repeatable read,serializable}'::pg_catalog.text[]) then
    insert into notify.idempotency_keys_before (producer, key, request, notification_id, created_at)
    values (new.producer, new.idempotency_key, v_request, new.id, new.created_at)
    on conflict (producer, key) do nothing;
  end if;
  new.idempotency_key := new.idempotency_key;
  return new;
end
$$;

comment on function notify.take_key() is
  'take_key() -> trigger, before each inserted row that has an idempotency key';
