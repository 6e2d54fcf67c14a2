-- faults(p_functions, p_tables, p_calls_all) -> one row per fault
--
-- Name what this database lacks that the service needs: what is missing, disabled, forbidden to our role, or
-- fails when it is called.
--
-- Args     p_functions text[]: the functions of sql/, by signature: {new_id(),wake(), …}; p_tables text[]: the
--          tables that migrations make; p_calls_all boolean: also call what locks each day's partition
-- Returns  (fault, remedy, stops); remedy null: `notify migrate` repairs it, else what to do instead;
--          stops: with this fault rows would be refused, lost, or sent in a way that nobody asked
--          for. No row: all is well
-- Locks    ROW EXCLUSIVE on today's and the default partition, for 100 ms at most
-- Note     It takes 3 ms, however long the queue is; only with p_calls_all it takes longer for more days. It
--          changes nothing, and runs no trigger. tests/sql/test_faults.py compares its lists with the catalog
-- Caller   Store.faults, Backend.faults
create or replace function notify.faults(p_functions text[], p_tables text[], p_calls_all boolean)
returns table (fault text, remedy text, stops boolean)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  v_table text;
  v_column text;
  v_sequence regclass;
  v_is_behind boolean;
  v_call text;
  v_today constant text := to_char(clock_timestamp() at time zone 'utc', '_YYYYMMDD');
  v_least constant uuid := '00000000-0000-0000-0000-000000000000';
  v_statement text;
  v_detail text;
begin
  if pg_is_in_recovery() or current_setting('transaction_read_only')::boolean then
    return query select 'the database is read-only',
      case when pg_is_in_recovery() then 'it is a replica: point DATABASE_URL at the primary'
        else 'default_transaction_read_only is on: reset it for this role and this database' end, true;
    return;
  end if;

  return query
  select 'notify.' || f || ' is missing', null::text, true
  from unnest(p_functions) as f where to_regprocedure('notify.' || f) is null
  union all
  select 'notify.' || t || ' is missing', null, true
  from unnest(p_tables) as t where to_regclass('notify.' || t) is null;
  if found then
    return;
  end if;

  return query
  select format('%s may not %s notify.%s', current_user, r.may, r.name),
    format('grant %s in schema notify to %I', case r.may when 'execute' then 'execute on all routines'
      else 'select, insert, update, delete on all tables' end, current_user), r.stops
  from (
    select t as name, may, t = 'notifications' and may in ('select', 'insert') or t in ('quiet_days', 'api_keys', 'pauses') and may = 'select' as stops
    from unnest(p_tables) as t, unnest('{select,insert,update,delete}'::text[]) as may
    where t !~ '_default$' and not has_table_privilege('notify.' || t, may)
    union all
    select f, 'execute', true from unnest(p_functions) as f
    where not has_function_privilege('notify.' || f, 'execute')) as r
  union all
  select 'row security hides rows of notify.' || t || ' from ' || current_user,
    format('alter table notify.%s no force row level security, or alter role %I bypassrls', t, current_user), true
  from unnest(p_tables) as t where row_security_active('notify.' || t)
  union all
  select format('notify.%s belongs to %I, notify.notifications to %I', c.relname,
      pg_get_userbyid(c.relowner), pg_get_userbyid(n.relowner)),
    format('alter table notify.%s owner to %I', c.relname, pg_get_userbyid(n.relowner)), false
  from pg_class n, unnest(p_tables) as t join pg_class c on c.oid = to_regclass('notify.' || t)
  where n.oid = 'notify.notifications'::regclass and c.relowner <> n.relowner
  union all
  select format('notify.%s_default is not a partition of notify.%1$s', t),
    format('alter table notify.%s attach partition notify.%1$s_default default', t), false
  from unnest('{notifications,attempts}'::text[]) as t
  where not exists (select from pg_inherits i
    where i.inhrelid = ('notify.' || t || '_default')::regclass and i.inhparent = ('notify.' || t)::regclass)
  union all
  select format('notify.%s is not a partition, and keeps its day from being made', c.relname),
    format('alter table notify.%s rename to …, or attach it', c.relname), false
  from pg_class c
  where c.relnamespace = 'notify'::regnamespace and c.relkind = 'r' and not c.relispartition
    and c.relname ~ '^(notifications|attempts)_[0-9]{8}$' and right(c.relname, 9) >= v_today
  union all
  select 'triggers do not fire: session_replication_role is replica here for every role',
    format('alter database %I reset session_replication_role, or alter role all', current_database()), true
  from pg_db_role_setting s
  where s.setrole = 0 and s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
    and 'session_replication_role=replica' = any (s.setconfig)
  union all
  select format('trigger %s of notify.%s is %s', g.name, c.relname,
      case when t.oid is null then 'missing' else 'disabled' end), null, g.name not in ('wake', 'tell_end')
  from (values ('accept', 'accept'), ('+accept', 'accept'), ('~take_key', 'take_key'), ('wake', 'wake'),
    ('tell_end', 'tell_end')) as g(name, calls)
  join pg_class c on c.oid = 'notify.notifications'::regclass or g.name <> 'wake' and c.oid in (
    'notify.notifications_default'::regclass,
    to_regclass('notify.notifications' || v_today)) and c.relispartition
  left join pg_trigger t on t.tgrelid = c.oid and t.tgname = g.name
    and t.tgfoid = ('notify.' || g.calls)::regproc
  where t.tgenabled is null or t.tgenabled in ('D', 'R')
  union all
  select format('trigger %s of notify.%s is %s', g.name, g.tab, case when t.oid is null then 'missing' else 'disabled' end),
    null, false
  from (values ('audit', 'keep_audit', 'keep_audit'), ('audit', 'keep_audit_whole', 'keep_audit'),
    ('ledger', 'lose_home', 'lose_home')) as g(tab, name, calls)
  left join pg_trigger t on t.tgrelid = ('notify.' || g.tab)::regclass and t.tgname = g.name
    and t.tgfoid = ('notify.' || g.calls)::regproc
  where t.tgenabled is null or t.tgenabled in ('D', 'R')
  union all
  select format('trigger %s of %s fires after "~take_key": a row that it drops keeps its idempotency key',
      t.tgname, t.tgrelid::regclass),
    format('alter trigger %I on %s rename to …, a name before "~take_key"', t.tgname, t.tgrelid::regclass), false
  from pg_trigger t
  where t.tgrelid in ('notify.notifications'::regclass, 'notify.notifications_default'::regclass,
      to_regclass('notify.notifications' || v_today))
    and t.tgname > '~take_key' and t.tgtype & 7 = 7          -- before, insert, for each row
    and not t.tgisinternal and t.tgparentid = 0 and t.tgenabled <> 'D'
  union all
  select format('trigger %s of %s may keep idempotency keys from being taken', t.tgname, t.tgrelid::regclass),
    format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass), false
  from pg_trigger t
  where t.tgrelid in ('notify.idempotency_keys'::regclass, 'notify.idempotency_keys_before'::regclass)
    and t.tgtype & 3 = 3 and t.tgtype & 20 <> 0              -- before, insert or update, for each row
    and not t.tgisinternal and t.tgenabled <> 'D'
  union all
  select format('column %s of notify.%s is missing', col, k.tab),
    case when k.tab in ('pauses', 'audit') then format('add it again, as migrations/ makes it, or restore the table from a backup; do not drop notify.%s', k.tab)
      when k.tab not in ('notifications', 'attempts', 'slo_deltas', 'slo_daily') and col <> 'forget_from' then format('drop table notify.%s; then notify migrate', k.tab)
      when col not in ('first_claimed_at', 'counted', 'producer', 'idempotency_key', 'is_test', 'emptied_at',
          'transaction_id', 'traceparent', 'notify_on_end', 'repeats', 'forget_from')
        then 'restore the table from a backup' end, true
  from (values
    ('notifications', '{id,channel,recipient,payload,priority,status,attempt,max_attempts,send_at,due_at,
      expires_at,lease_until,claimed_by,reference,created_at,settled_at,last_error_code,last_error,
      first_claimed_at,producer,idempotency_key,is_test,emptied_at,transaction_id,traceparent,notify_on_end,
      repeats}'::text[]),
    ('attempts', '{notification_id,attempt,started_at,took_ms,outcome,code,excerpt,worker,counted}'),
    ('slo_deltas', '{id,day,channel,priority,result,count}'),
    ('quiet_days', '{day,until,queued,notifications_bytes,attempts_bytes,tended_at}'),
    ('ledger', '{is_only,id}'),
    ('settings', '{is_only,environment,system_identifier,database_name,server_started_at,idempotency_window,
      keys_turned_at,payload_days,forget_from}'),
    ('copies', '{system_identifier,database_name,environment,server_started_at,noticed_at}'),
    ('producer_roles', '{role,producer}'),
    ('idempotency_keys', '{producer,key,request,notification_id,created_at}'),
    ('idempotency_keys_before', '{producer,key,request,notification_id,created_at}'),
    ('api_keys', '{id,producer,kind,secret_sha256,scopes,channels,recipients,rate_per_s,burst,created_at,
      created_by,expires_at,revoked_at,last_used_at}'),
    ('audit', '{id,at,actor,key_id,verb,detail}'),
    ('kept_watches', '{id,producer,made_by,relation,events,channel,recipient,columns,condition,reference,on_error,
      created_at}'),
    ('watch_faults', '{id,watch_id,at,error}'), ('watch_secret', '{is_only,secret}'),
    ('emptied_days', '{day,following,emptied,left_over,took,looked_at}'),
    ('workers', '{worker,host,version,environment,channels,patience,slots,in_flight,settled,per_s,started_at,beat_at}'),
    ('destination_state', '{worker,channel,destination,state,url_hash,code,since,until}'),
    ('destination_minutes', '{minute,channel,destination,sends,failures,took,last_code,last_failed_at}'),
    ('figures', '{at,leader,queued,quiet,sending,is_estimate,oldest_due_s}'),
    ('minutes', '{minute,sent,in_time,failed,expired}'),
    ('pauses', '{id,kind,name,channel,reason,paused_by,paused_at,resumed_at,waits_at}'),
    ('probes', '{channel,destination,asked_at,asked_by}'),
    ('slo_daily', '{day,channel,priority,in_time,late,failed,expired}')) as k(tab, cols), unnest(k.cols) as col
  where not exists (select from pg_attribute a
    where a.attrelid = ('notify.' || k.tab)::regclass and a.attname = col and not a.attisdropped)
  union all
  select format('column %I of notify.%s is somebody''s, NOT NULL and without a default', a.attname, k.tab),
    format('alter table notify.%s alter column %I drop not null', k.tab, a.attname), false
  from (values
    ('notifications', '{id,channel,recipient,payload,priority,status,attempt,due_at,created_at,is_test,notify_on_end}'::text[]),
    ('attempts', '{notification_id,attempt,started_at,outcome,worker,counted}'),
    ('slo_deltas', '{id,day,channel,priority,result,count}'),
    ('slo_daily', '{day,channel,priority,in_time,late,failed,expired}')) as k(tab, cols)
  join pg_attribute a on a.attrelid = ('notify.' || k.tab)::regclass
  where a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef and a.attidentity = ''
    and a.attname <> all (k.cols)
  union all
  select format('the default of notify.%s.%s is missing', d.tab, d.col), null, d.col in ('id', 'status')
  from (values ('notifications', 'id'), ('notifications', 'priority'), ('notifications', 'status'),
    ('notifications', 'attempt'), ('notifications', 'due_at'), ('notifications', 'created_at'),
    ('attempts', 'counted'), ('slo_daily', 'in_time'), ('slo_daily', 'late'), ('slo_daily', 'failed'),
    ('slo_daily', 'expired'), ('ledger', 'is_only'), ('ledger', 'id'), ('notifications', 'is_test'), ('notifications', 'notify_on_end'),
    ('settings', 'is_only'), ('settings', 'idempotency_window'), ('settings', 'keys_turned_at'),
    ('kept_watches', 'on_error'), ('kept_watches', 'created_at'), ('watch_faults', 'at'), ('watch_secret', 'is_only'),
    ('api_keys', 'kind'), ('api_keys', 'created_at'), ('audit', 'at'), ('audit', 'detail'), ('pauses', 'paused_at')) as d(tab, col)
  where not exists (select from pg_attribute a
    where a.attrelid = ('notify.' || d.tab)::regclass and a.attname = d.col and a.atthasdef)
  union all
  select format('constraint %s of notify.%s is missing', k.name, k.tab), null, false
  from (values ('notifications', 'status_is_known'), ('notifications', 'priority_is_a_lane'),
    ('notifications', 'attempt_is_within_max_attempts'), ('notifications', 'lease_if_and_only_if_sending'),
    ('notifications', 'settled_at_if_and_only_if_settled'), ('notifications', 'times_are_within_1970_and_9999'),
    ('notifications', 'texts_are_short'), ('attempts', 'outcome_is_known'),
    ('slo_deltas', 'result_is_known'), ('ledger', 'there_is_only_one'), ('settings', 'there_is_only_one'),
    ('kept_watches', 'on_error_is_known'), ('watch_secret', 'there_is_only_one'),
    ('api_keys', 'kind_is_known'), ('api_keys', 'secret_is_sha256'), ('pauses', 'kind_is_known'),
    ('pauses', 'channel_if_and_only_if_destination')) as k(tab, name)
  where not exists (select from pg_constraint c
    where c.conrelid = ('notify.' || k.tab)::regclass and c.conname = k.name)
  union all
  select 'the primary key of notify.' || t || ' is missing', null, t in ('notifications', 'attempts')
  from unnest(p_tables) as t
  where not exists (select from pg_index i where i.indrelid = ('notify.' || t)::regclass and i.indisprimary)
  union all
  select 'index notify.' || n || case when i.indexrelid is null then ' is missing' else ' is not valid' end,
    case when i.indexrelid is not null then 'drop index notify.' || n || '; then notify migrate' end, false
  from unnest('{notifications_due,notifications_leased,notifications_failed,notifications_reference,
    notifications_ended,watch_faults_watch,pauses_in_force}'::text[]) as n
  left join pg_index i on i.indexrelid = to_regclass('notify.' || n)
  where i.indisvalid is not true
  union all
  select 'view notify.' || v || ' is missing', null, false
  from unnest('{outcomes,watches}'::text[]) as v where to_regclass('notify.' || v) is null;

  if p_calls_all then
    return query select r.fault, r.remedy, false from notify.rights_amiss() r;
    -- Rows go through the parents, so nothing stops: but no such day is dropped, tended or emptied.
    return query
    select format('row security hides rows of %s partitions, such as %s, from %s', count(*), max(d.day::text collate "C"), current_user),
      format('do %L, or alter role %I bypassrls', concat_ws(' ', 'declare d regclass; begin',
        'for d in select i.inhrelid from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relrowsecurity and',
        'i.inhparent in (''notify.notifications''::regclass, ''notify.attempts''::regclass)',
        'loop execute format(''alter table %s no force row level security'', d); end loop; end'),
        current_user), false
    from (
      select i.inhrelid::regclass as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent in ('notify.notifications'::regclass, 'notify.attempts'::regclass)
        and c.relname <> all (p_tables) and row_security_active(i.inhrelid)) d
    having count(*) > 0;
    begin
      return query select w.fault, w.remedy, false from notify.watches_amiss() w;
    exception when undefined_column then
      null;                                 -- reported above
    end;
    -- Each deploy would grant to whoever gets such a name next. By jsonb, as a column may be missing.
    if has_table_privilege('notify.producer_roles', 'select') then
      return query
      select format('no role is called %s, which may send as %s', p.row ->> 'role', p.row ->> 'producer'),
        format('delete from notify.producer_roles where role = %L', p.row ->> 'role'), false
      from (select to_jsonb(r) as row from notify.producer_roles r) p
      where not exists (select from pg_roles r where r.rolname = p.row ->> 'role');
    end if;
  end if;

  for v_table, v_column, v_sequence in
    select t, a.attname, pg_get_serial_sequence('notify.' || t, a.attname)::regclass
    from unnest(p_tables) as t join pg_attribute a on a.attrelid = ('notify.' || t)::regclass
    where a.attidentity <> '' and not a.attisdropped  -- a rollback of the migration leaves it an identity
  loop
    continue when not has_sequence_privilege(v_sequence, 'select');
    execute format('select max(%I) > coalesce(pg_sequence_last_value(%L), 0) from notify.%I',
      v_column, v_sequence, v_table) into v_is_behind;
    if v_is_behind then
      fault := format('%s is behind notify.%s.%s', v_sequence, v_table, v_column);
      remedy := format('select setval(%L, max(%I)) from notify.%I', v_sequence, v_column, v_table);
      stops := true;
      return next;
    end if;
  end loop;

  foreach v_call in array array[
    'new_id()',
    'unmet_rule(notify.new_id(), ''queued'', 0, true, ''webhook'', ''https://a.example/'', ''{}'', 2::smallint,
      3, ''r'', null, now(), null, now(), ''p'', ''k'')',
    'unmet_mail_rule(''a@b.example'', ''{"subject": "s", "text": "t"}'')'
  ] || case when p_calls_all then array[
    'claim(''{}'', 1, ''w:1'', ''1 s'', 1, ''1 s'')',
    'claim(''{}'', 1, ''w:1'', ''1 s'', 1, ''1 s'', null, ''{}''::text[])',
    'home(null)',
    'settle(''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''w:1'', ''{"default": [1]}'', ''1 s'')',
    'due(''{}'', ''{}'', 1)'
  ] end loop
    begin
      execute 'select notify.' || v_call;
    exception when others then
      fault := format('notify.%s fails: %s', split_part(v_call, '(', 1), sqlerrm);
      remedy := null;
      stops := true;
      return next;
    end;
  end loop;

  -- Planning alone shows what PostgreSQL refuses because of somebody's publication or rule.
  perform set_config('lock_timeout', '100ms', true);
  for v_call, stops, v_statement in
    select 'moving a row of notify.' || day, true, format(
      'explain with recorded as (
           insert into notify.attempts (notification_id, attempt, started_at, outcome, worker)
           select gen_random_uuid(), 1, now(), ''sent'', ''w:1''),
         ended as (
           insert into notify.slo_deltas (day, channel, priority, result, count)
           select now()::date, ''log'', 2, ''in_time'', 1)
         update notify.notifications n set status = n.status from (values (1)) as j(one)
         where n.id = %L', case day when 'notifications_default' then v_least else notify.id_floor(clock_timestamp()) end)
    from unnest(array['notifications_default', 'notifications' || v_today]) as day
    union all
    select 'fold_slo', false,
      'explain with taken as (delete from notify.slo_deltas returning *)
         insert into notify.slo_daily as s select t.day, t.channel, t.priority from taken t
         on conflict (day, channel, priority) do update set in_time = s.in_time + excluded.in_time'
  loop
    begin
      execute v_statement;
    exception
      when invalid_column_reference or object_not_in_prerequisite_state or feature_not_supported then
        get stacked diagnostics v_detail = pg_exception_detail;
        fault := format('%s is refused: %s', v_call, concat_ws(': ', sqlerrm, nullif(v_detail, '')));
        remedy := 'alter or drop what forbids it: ' || coalesce((
          select string_agg(distinct o.name, ', ') from (
            select 'publication ' || p.pubname as name
            from pg_publication_rel r join pg_publication p on p.oid = r.prpubid
            join pg_class c on c.oid = r.prrelid
            where c.relnamespace = 'notify'::regnamespace and (r.prqual is not null or r.prattrs is not null)
            union all
            select pg_describe_object('pg_rewrite'::regclass, w.oid, 0)
            from pg_rewrite w join pg_class c on c.oid = w.ev_class
            where c.relnamespace = 'notify'::regnamespace and c.relkind in ('r', 'p')) as o),
          'a replica identity');
        return next;
      when others then
        null;                               -- reported above; or somebody holds a lock
    end;
  end loop;
end
$$;

comment on function notify.faults(text[], text[], boolean) is
  'faults(p_functions, p_tables, p_calls_all) -> one row per fault';
