-- enqueue(p_rows) -> one row per element, in their order
--
-- Insert many notifications as one statement: the requests of the same few milliseconds share a commit.
--
-- Moves    nothing -> queued
-- Args     p_rows jsonb, an array of objects with the columns a producer may set; at most 1000
-- Returns  (ord, id, created_at); ord is the element's place, from 1
-- Raises   check_violation by accept(): the caller's mistake, and none of the rows is inserted;
--          ND001: more than 1000 rows
-- Caller   Store.enqueue
create or replace function notify.enqueue(p_rows jsonb)
returns table (ord bigint, id uuid, created_at timestamptz)
language plpgsql as $$
#variable_conflict use_column
begin
  if jsonb_array_length(p_rows) > 1000 then
    raise exception 'enqueue takes at most 1000 rows, not %', jsonb_array_length(p_rows)
      using errcode = 'ND001', hint = 'Call it once for each 1000.';
  end if;
  return query
  with given as materialized (
    select notify.new_id() as id, r.*
    from rows from (jsonb_to_recordset(p_rows) as (
      channel text, recipient text, payload jsonb, priority smallint, send_at timestamptz,
      expires_at timestamptz, max_attempts integer, reference text
    )) with ordinality as r(
      channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference, ord)
  ),
  queued as (
    insert into notify.notifications
      (id, channel, recipient, payload, priority, send_at, expires_at, max_attempts, reference)
    select g.id, g.channel, g.recipient, coalesce(g.payload, 'null'), coalesce(g.priority, 2),
      g.send_at, g.expires_at, g.max_attempts, g.reference
    from given g
    returning notifications.id, notifications.created_at
  )
  select g.ord, g.id, q.created_at from given g join queued q using (id) order by g.ord;
end
$$;

comment on function notify.enqueue(jsonb) is 'enqueue(p_rows) -> one row per element, in their order';
