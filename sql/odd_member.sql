-- odd_member(p_notifications) -> text
--
-- Say what of an array of notifications send_many() cannot read, and which names and kinds it takes.
--
-- Args     p_notifications jsonb, whatever the caller sent
-- Returns  a hint; null: it can read all of it
-- Caller   send_many()
create or replace function notify.odd_member(p_notifications jsonb) returns text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  c_kinds constant jsonb := '{"channel": "string", "recipient": "string", "payload": "any",
    "reference": "string", "priority": "number", "send_at": "string", "expires_at": "string",
    "idempotency_key": "string", "max_attempts": "number", "traceparent": "string", "notify_on_end": "boolean"}';
  v_hint text;
begin
  if jsonb_typeof(p_notifications) is distinct from 'array' then
    return 'Give an array of objects.';
  elsif jsonb_array_length(p_notifications) > 1000 then
    return 'Give at most 1000 at once.';
  end if;
  select format('Give objects with %s. The odd one: element %s%s.',
    (select string_agg(k.key || ' (' || k.value || ')', ', ') from jsonb_each_text(c_kinds) as k),
    e.ord, ', member ' || left(m.key, 63))
  into v_hint
  from jsonb_array_elements(p_notifications) with ordinality as e(s, ord)
  left join lateral jsonb_each(case when jsonb_typeof(e.s) = 'object' then e.s end) as m on true
  where jsonb_typeof(e.s) <> 'object' or (m.key is not null and (
    c_kinds -> m.key is null
    or (c_kinds ->> m.key <> 'any' and jsonb_typeof(m.value) not in (c_kinds ->> m.key, 'null'))
    or (c_kinds ->> m.key = 'number' and m.value::text !~ '^(-?[0-9]+|null)$')))
  order by e.ord
  limit 1;
  return v_hint;
end
$$;

comment on function notify.odd_member(jsonb) is 'odd_member(p_notifications) -> text';
