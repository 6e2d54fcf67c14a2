-- depends: 0007-parking

set local search_path = pg_catalog, pg_temp;

-- What ended without a send, which is rare: GET /notifications?status=cancelled and =expired.
create index if not exists notifications_ended on notify.notifications (status, id)
  where status in ('cancelled', 'expired');
