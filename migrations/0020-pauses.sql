-- depends: 0019-outcomes

set local search_path = pg_catalog, pg_temp;

-- What is paused, and what was until all that waited has come back. A row that a pause sets aside stays queued, and
-- its due_at is the pause's waits_at, a moment of its own: 3000-01-01Z, and as many seconds as its id.
create table if not exists notify.pauses (
  id bigint generated always as identity,
  kind text not null,
  name text not null,                                       -- of the channel or producer; as destination_of()
  channel text,                                             -- of a destination, else null
  reason text,
  paused_by text not null,                                  -- a producer or a role of the database
  paused_at timestamptz not null default clock_timestamp(),
  resumed_at timestamptz,
  waits_at timestamptz not null,
  primary key (id),
  constraint kind_is_known check (kind in ('destination', 'channel', 'producer')),
  constraint channel_if_and_only_if_destination check ((kind = 'destination') = (channel is not null))
);
create unique index if not exists pauses_in_force on notify.pauses (kind, name, coalesce(channel, ''))
where resumed_at is null;

-- What somebody's hand took from a table that is there, as 0013 does for its own.
do $$
declare
  v_name text;
  v_what text;
begin
  if not exists (select from pg_attribute
    where attrelid = 'notify.pauses'::regclass and attname = 'paused_at' and atthasdef)
  then
    alter table notify.pauses alter column paused_at set default clock_timestamp();
  end if;
  if not exists (select from pg_index where indrelid = 'notify.pauses'::regclass and indisprimary) then
    alter table notify.pauses add primary key (id);
  end if;
  for v_name, v_what in values
    ('kind_is_known', 'kind in (''destination'', ''channel'', ''producer'')'),
    ('channel_if_and_only_if_destination', '(kind = ''destination'') = (channel is not null)')
  loop
    if not exists (select from pg_constraint where conrelid = 'notify.pauses'::regclass and conname = v_name) then
      execute format('alter table notify.pauses add constraint %I check (%s) not valid', v_name, v_what);
    end if;
  end loop;
end
$$;

-- What a pause sets aside has no next try. Of a view that knows that nothing is changed: a later migration may have
-- added columns at its end.
do $$
begin
  if pg_get_viewdef('notify.outcomes'::regclass) !~ '3000-01-01' then
    create or replace view notify.outcomes with (security_barrier) as
    select n.id, n.reference, n.status, n.attempt, n.last_error_code as code, n.last_error as error,
      n.created_at, n.settled_at,
      case when n.status = 'queued' and n.due_at not between '3000-01-01Z' and '3999-12-31Z' then n.due_at end as next_try_at,
      n.channel, n.idempotency_key, n.max_attempts, n.send_at, n.expires_at, n.is_test,
      n.transaction_id, n.traceparent
    from notify.notifications n
    where n.producer = (select notify.producer_of(notify.speaking_role()));
  end if;
end
$$;
