-- keep_partitions(p_days_ahead, p_retention) -> what was done
--
-- Make the partitions of the days to come, and drop those whose retention has passed, in one transaction: for
-- an operator, and for a deploy. The dispatcher calls each step by itself.
--
-- Args     p_days_ahead integer, from today (UTC); p_retention interval
-- Returns  (action, partition): made; dropped; emptied, or empty since before: a lock did not come, so it is dropped
--          next time; kept: old, but it still holds queued or sending rows; busy: a lock did not come, and no day is
--          made after it, nor dropped: call again; failed: a warning says why, such as a view on it, and the other days go on;
--          crowded: the default partition has more rows of that day than can be moved in time. They stay
--          there, which does no harm, and are deleted row by row when they are old
-- Locks    as its steps, until the transaction ends
-- Caller   the migration that deploys sql/
create or replace function notify.keep_partitions(p_days_ahead integer, p_retention interval)
returns table (action text, partition text)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  for action, partition in select * from notify.make_days(p_days_ahead, p_retention) loop
    return next;
  end loop;
  if action = 'busy' then
    return;
  end if;
  return query select * from notify.drop_days(p_retention, 100);
  return query select * from notify.sweep_default(p_retention, 25000);
end
$$;

comment on function notify.keep_partitions(integer, interval) is
  'keep_partitions(p_days_ahead, p_retention) -> what was done';
