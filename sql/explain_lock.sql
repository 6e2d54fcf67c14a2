-- explain_lock(p_id) -> sentences
--
-- Say that another transaction holds a notification's row: workers leave it out for as long as that is open.
--
-- Args     p_id uuid
-- Returns  (code, sentence, until, command): code locked; no row: nobody holds it, or several share it
-- Note     A row's xmax is who locked or changed it last; whoever has not ended yet holds the lock of its number
-- Plan     primary key; the table of locks
-- Caller   explain()
create or replace function notify.explain_lock(p_id uuid)
returns table (code text, sentence text, until timestamptz, command text)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  return query
  select 'locked', format('A transaction that is open holds its row%s: until that ends, nobody takes or settles it.',
    coalesce(' (process ' || l.pid::text || ' of PostgreSQL)', '')), null::timestamptz, 'notify top'
  from notify.notifications n join pg_locks l on l.locktype = 'transactionid' and l.transactionid = n.xmax and l.granted
  where n.id = p_id and l.pid is distinct from pg_backend_pid();
end
$$;

comment on function notify.explain_lock(uuid) is 'explain_lock(p_id) -> sentences';
