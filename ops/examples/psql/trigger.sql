-- A row trigger of your own on orders: psql "$DATABASE_URL" -f trigger.sql
create table if not exists orders (id bigint primary key, total numeric not null);

create or replace function notify_of_order() returns trigger language plpgsql as $$
begin
  perform notify.send('webhook', 'https://example.org/hooks/orders',
    jsonb_build_object('order', new.id, 'total', new.total), reference => 'order-' || new.id);
  return null;
end $$;
create or replace trigger notify_of_order after insert on orders
for each row execute function notify_of_order();

insert into orders values (42, 99.50);

begin;
insert into orders values (43, 1.00);
rollback;   -- order 43 and its notification never were

select reference, status, code from notify.outcomes where reference in ('order-42', 'order-43');
