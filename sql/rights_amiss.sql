-- rights_amiss() -> one row per right
--
-- Name what PUBLIC and notify_producer may do here and should not, and what a producer should be able to do,
-- also through functions and views that run with the rights of our owner, and PostgreSQL's own that triggers call.
--
-- Returns  (fault, remedy); remedy null: `notify migrate` repairs it, by keep_rights(). No row: all is well
-- Note     Rights of other roles are their owner's affair
-- Plan     the catalog alone
-- Caller   Store.faults, when it asks for all
create or replace function notify.rights_amiss() returns table (fault text, remedy text)
language sql stable set search_path = pg_catalog, pg_temp set standard_conforming_strings = on as $$
  with roles as (
    select 0::oid as id, 'public'::text as name
    union all
    select r.oid, r.rolname from pg_roles r where r.rolname = 'notify_producer'
  ), objects as (
    select case p.prokind when 'p' then 'procedure' else 'function' end as kind, p.oid::regprocedure::text as name, null::name as attribute, p.proowner as owner,
      coalesce(p.proacl, acldefault('f', p.proowner)) as acl
    from pg_proc p where p.pronamespace = 'notify'::regnamespace
    union all
    select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, null, c.relowner, c.relacl
    from pg_class c where c.relnamespace = 'notify'::regnamespace and c.relacl is not null
    union all
    select 'table', c.oid::regclass::text, a.attname, c.relowner, a.attacl
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'notify'::regnamespace and a.attacl is not null and not a.attisdropped
    union all
    select 'schema', n.nspname, null, n.nspowner, n.nspacl from pg_namespace n where n.nspname = 'notify'
  ), rights as (
    select r.id, r.name as role, o.kind, o.name, o.attribute::text, lower(a.privilege_type collate "C") as privilege,
      o.owner = (select c.relowner from pg_class c where c.oid = 'notify.notifications'::regclass) as is_ours
    from objects o, aclexplode(o.acl) a join roles r on r.id = a.grantee
  ), wanted as (
    select r.id, r.name as role, w.kind, w.name, w.attribute, w.privilege
    from roles r, notify.producer_rights() w where r.id <> 0
    union all
    select 0, 'public', w.kind, w.name, null, w.privilege
    from notify.producer_rights() w where w.name ~ '^notify.new_id\('
    union all
    select 0, 'public', 'function', w.name, null, 'execute'
    from notify.public_rights() w where exists (select from notify.kept_watches)
  ), owned as (                                          -- what runs with the rights of its owner
    select 'routine' as kind, p.oid::regprocedure::text as name, p.proowner as owner, p.prosecdef, null::text[] as reloptions,
      has_function_privilege(p.oid, 'execute') as is_usable
    from pg_proc p where obj_description(p.oid, 'pg_proc') like p.proname || '(%'  -- ours, no overload of somebody's
    and p.pronamespace = 'notify'::regnamespace and p.proname = any (
    '{accept,add_minutes,asked_probes,beat,book_minute,check_watch,drop_watch,environment_here,explain,home,
      is_home,is_home_place,is_watched,keep_settings,keep_watch,ledger,note_destinations,note_figures,
      note_watch_fault,notice_copy,open_watch,outcome_of,outcomes,put_watched,send,send_many,server_identifier,
      stir,take_key,tell_end,unended,validate}'::text[])
    union all
    select 'view', c.oid::regclass::text, c.relowner, null, c.reloptions, true
    from pg_class c
    where c.relnamespace = 'notify'::regnamespace and c.relkind = 'v' and c.relname in ('outcomes', 'watches')
  )
  select format('%s may %s%s %s', r.role, r.privilege, ' ' || r.attribute || ' of', r.name),
    case when r.kind not in ('function', 'procedure') or r.id <> 0 or not r.is_ours then format('revoke %s%s on %s %s from %I',
      r.privilege, ' (' || r.attribute || ')', r.kind, r.name, r.role) end
  from rights r
  where (r.id, r.privilege) <> (0, 'usage')              -- without more, it lets nobody do anything
    and (r.id <> 0 or r.name not in (select p.name from notify.public_rights() p))   -- stays when the last watch goes
    and not exists (select from wanted w where (w.id, w.kind, w.name, w.privilege) = (r.id, r.kind, r.name, r.privilege)
      and w.attribute is not distinct from r.attribute)
  union all
  select format('%s may not %s%s %s', w.role, w.privilege, ' ' || w.attribute || ' of', w.name), null
  from wanted w
  where not exists (select from rights r
    where (w.id, w.kind, w.name, w.privilege) = (r.id, r.kind, r.name, r.privilege)
      and w.attribute is not distinct from r.attribute)
  union all
  select format('notify_producer is a member of %s', m.roleid::regrole),
    format('revoke %s from notify_producer', m.roleid::regrole)
  from pg_auth_members m join roles r on r.id = m.member
  union all
  -- Of PostgreSQL's own: without the lock's each INSERT fails, without the other no bell rings.
  select format('%s may not execute %s', string_agg(quote_ident(r.rolname), ', ' order by r.rolname), f.name),
    format('grant execute on function %s to public', f.name)
  from pg_roles r, (values
    ('pg_try_advisory_xact_lock_shared(integer, integer)'), ('pg_notification_queue_usage()')) as f(name)
  where r.rolcanlogin and has_any_column_privilege(r.oid, 'notify.notifications', 'insert')
    and not has_function_privilege(r.oid, f.name, 'execute')
  group by f.name
  union all
  -- As linters advise. Producers would need rights on the tables then.
  select format('%s runs with the rights of its caller', o.name), null
  from owned o where o.prosecdef is false
  union all
  select format('view %s %s', o.name, k.fault), format('alter view %s %s', o.name, k.remedy)
  from owned o, (values
    ('security_invoker', true, 'reads with the rights of its caller', 'reset (security_invoker)'),
    ('security_barrier', false, 'has no security_barrier', 'set (security_barrier)')) as k(option, is_amiss, fault, remedy)
  where o.kind = 'view' and k.is_amiss = coalesce((select p.option_value::boolean
    from pg_options_to_table(o.reloptions) p where p.option_name = k.option), false)
  union all
  select format('%s belongs to %I, notify.notifications to %I', o.name, pg_get_userbyid(o.owner), pg_get_userbyid(n.relowner)),
    format('alter %s %s owner to %I', o.kind, o.name, pg_get_userbyid(n.relowner))
  from owned o, pg_class n where n.oid = 'notify.notifications'::regclass and n.relowner <> o.owner
    and not (o.is_usable and pg_has_role(o.owner, n.relowner, 'usage'))    -- as of a member who migrated
$$;

comment on function notify.rights_amiss() is 'rights_amiss() -> one row per right';
