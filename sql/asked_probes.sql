-- asked_probes() -> rows
--
-- Say which destinations are to be tried at once: each worker that keeps one of them back lets its next row through.
--
-- Returns  (channel, destination, asked_at): those of the last 30 s, up to 1000. A worker that has seen an asked_at
--          leaves it alone
-- Plan     probes, which holds an hour of them at most
-- Caller   workers' HeartStore.asked_probes, each second, while it keeps something back
create or replace function notify.asked_probes()
returns table (channel text, destination text, asked_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select p.channel, p.destination, p.asked_at from notify.probes p
  where p.asked_at > clock_timestamp() - interval '30 seconds'
  order by p.asked_at desc
  limit 1000
$$;

comment on function notify.asked_probes() is 'asked_probes() -> rows';
