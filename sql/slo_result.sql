-- slo_result(p_status, p_age) -> text
--
-- Return how a notification that ended counts in slo_daily. Only here are the 10 s of the objective written.
--
-- Args     p_status text: sent, failed or expired; p_age interval between when it could first be sent (the
--          later of created_at and send_at) and its end
-- Returns  in_time or late if it was sent; else the status
-- Caller   claim(), settle(), end_leases(), requeue()
create or replace function notify.slo_result(p_status text, p_age interval)
returns text
language sql immutable
return case when p_status <> 'sent' then p_status
  when p_age <= interval '10 seconds' then 'in_time' else 'late' end;

comment on function notify.slo_result(text, interval) is 'slo_result(p_status, p_age) -> text';
