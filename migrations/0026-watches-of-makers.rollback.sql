-- As in 0017.
create or replace view notify.watches with (security_barrier) as
select w.id, w.producer, w.made_by, w.relation, w.events, w.channel, w.recipient, w.columns, w.condition,
  w.reference, w.on_error, w.created_at,
  (select count(*) from notify.watch_faults f where f.watch_id = w.id) as faults
from (select case current_setting('role') when 'none' then session_user::text else current_setting('role') end)
  as speaks(role)
join notify.kept_watches w on has_table_privilege(speaks.role, 'notify.kept_watches', 'select')
  or w.producer = coalesce((select p.producer from notify.producer_roles p where p.role = speaks.role), speaks.role);
