-- The same without a trigger of your own, for inserts and updates: psql "$DATABASE_URL" -f watch.sql
create table if not exists orders (id bigint primary key, total numeric not null, status text not null default 'new');

select notify.on_change('orders', '{insert,update}', 'webhook', 'https://example.org/hooks/orders',
  condition => 'new.status = ''paid''', reference => '''order-'' || new.id');

insert into orders values (41, 5.00), (42, 99.50);        -- not paid: nobody hears of it
update orders set status = 'paid' where id = 42;

begin;
update orders set status = 'paid' where id = 41;
rollback;   -- never was

select reference, status, code from notify.outcomes where reference in ('order-41', 'order-42');
