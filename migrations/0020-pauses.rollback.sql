set local search_path = pg_catalog, pg_temp;

-- What waits for a pause would wait for ever.
update notify.notifications set due_at = clock_timestamp() where status = 'queued'
  and due_at between '3000-01-01Z' and '3999-12-31Z';

create or replace view notify.outcomes with (security_barrier) as
select n.id, n.reference, n.status, n.attempt, n.last_error_code as code, n.last_error as error,
  n.created_at, n.settled_at, case n.status when 'queued' then n.due_at end as next_try_at,
  n.channel, n.idempotency_key, n.max_attempts, n.send_at, n.expires_at, n.is_test,
  n.transaction_id, n.traceparent
from notify.notifications n
where n.producer = (select notify.producer_of(notify.speaking_role()));
drop table if exists notify.pauses;
