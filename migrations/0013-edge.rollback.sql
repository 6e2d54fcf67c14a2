drop table notify.audit;
drop table notify.api_keys;
drop table notify.idempotency_keys_before;
drop table notify.idempotency_keys;
drop table notify.producer_roles;
drop table notify.copies;
drop table notify.settings;
alter table notify.notifications
  drop column if exists emptied_at,
  drop column if exists is_test,
  drop column if exists idempotency_key,
  drop column if exists producer;
