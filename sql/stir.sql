-- stir() -> trigger, after a row of a quiet day became queued or sending
--
-- Mark the day as awake, in the same transaction: the row may be due before the day's next look.
--
-- Note     Only partitions that tend_days() found quiet have it, so it costs the others nothing. It also runs for
--          changes by hand and by replication (enable always). In an isolation level whose snapshot may be
--          older than quiet_days, it writes without looking: if the row of the day has changed since, PostgreSQL
--          refuses the transaction, and the day is not lost.
--          It runs with its owner's rights: who may change a notification needs no right on quiet_days.
-- Caller   trigger stir on partitions of quiet days
create or replace function notify.stir() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  v_day date := to_date(right(tg_table_name, 8), 'YYYYMMDD');
  v_at timestamptz := case new.status when 'queued' then new.due_at else '-infinity' end;
begin
  if current_setting('transaction_isolation') <> 'read committed'
    or exists (select from notify.quiet_days q where q.day = v_day and q.until > v_at)
  then
    insert into notify.quiet_days as q
      (day, until, queued, notifications_bytes, attempts_bytes, tended_at)
    values (v_day, '-infinity', 0, 0, 0, '-infinity')
    on conflict (day) do update set until = '-infinity', tended_at = '-infinity' where q.until > v_at;
  end if;
  return null;
end
$$;

comment on function notify.stir() is 'stir() -> trigger, after a row of a quiet day became queued or sending';
