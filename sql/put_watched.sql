-- put_watched(p_watch, p_ticket, p_payloads, p_references) -> nothing
--
-- Queue the notifications of a watch, as one INSERT.
--
-- Moves    nothing -> queued
-- Args     p_ticket text, of open_watch(); p_payloads jsonb[], p_references text[], of the same length
-- Raises   what accept() raises; 42501: the ticket is not of this transaction
-- Note     The rows are the watch's maker's, not those of whoever changed the table, who needs no right on ours.
--          Whoever changes a watched table could call this by hand while the statement runs, and so choose a payload
--          of the watch; nobody else can
-- Caller   watched()
create or replace function notify.put_watched(p_watch bigint, p_ticket text, p_payloads jsonb[], p_references text[])
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if p_ticket is distinct from notify.watch_ticket(p_watch) then
    raise insufficient_privilege using message = 'only a statement that changes the table speaks for its watch';
  end if;
  insert into notify.notifications (channel, recipient, payload, reference, producer)
  select w.channel, w.recipient, unnest(p_payloads), unnest(p_references), w.producer
  from notify.kept_watches w
  where w.id = p_watch;
end
$$;

comment on function notify.put_watched(bigint, text, jsonb[], text[]) is
  'put_watched(p_watch, p_ticket, p_payloads, p_references) -> nothing';
