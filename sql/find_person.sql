-- find_person(p_recipients, p_reference, p_after, p_limit, p_look_max) -> one row
--
-- Find the oldest notifications to a recipient, or with a reference. It looks at a bounded number of rows: a call
-- may find none though it is not the last.
--
-- Args     p_recipients text[], spellings of one recipient (null: any). They are compared exactly; those of mails
--          also in any case, as Ada@Example.org and ada@example.org are one mailbox almost everywhere. p_reference
--          text, exactly (null: any). Without both nothing matches. p_after uuid, the cursor (null: from the oldest
--          on); p_limit rows; p_look_max, the most rows to look at: each range of days that is opened counts as 500
--          of them. In a long ledger it opens at most two ranges
-- Returns  (ids, following): the ids, oldest first; the cursor for the next call, null at the end
-- Plan     in the order of ids, one range of stretches() after the other: notifications_reference for a reference,
--          else the primary key, as no index knows recipients. The recipient is compared outside of the scan
-- Caller   erase(), PersonStore.export
create or replace function notify.find_person(
  p_recipients text[], p_reference text, p_after uuid, p_limit integer, p_look_max integer)
returns table (ids uuid[], following uuid)
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
set seq_page_cost = 0 set random_page_cost = 0
set jit = off set max_parallel_workers_per_gather = 0 set enable_partition_pruning = on as $$
declare
  v_in_any_case text[] := array(select notify.folded(r) from unnest(p_recipients) as r);
  v_left integer := p_look_max;
  v_opened_max integer := case when notify.is_long() then 2 else 1000 end;
  v_more boolean := false;
  v_lo uuid;
  v_hi uuid;
  v_id uuid;
  v_fits boolean;
begin
  ids := '{}';
  for v_lo, v_hi in
    select s.lo, s.hi from notify.stretches(
      coalesce(p_after, '00000000-0000-0000-0000-000000000000'), 'ffffffff-ffff-ffff-ffff-ffffffffffff', 16) s
    where p_recipients <> '{}' or p_reference is not null
    order by s.lo
  loop
    v_more := v_left <= 0 or v_opened_max = 0;
    exit when v_more;
    v_opened_max := v_opened_max - 1;
    v_left := greatest(v_left - 500, 1);
    for v_id, v_fits in
      select n.id, (p_recipients is null or n.recipient = any (p_recipients)
          or n.channel = 'email' and notify.folded(n.recipient) = any (v_in_any_case))
        and not (n.recipient = 'erased' and n.emptied_at is not null)
      from (
        select n.id, n.channel, n.recipient, n.emptied_at from notify.notifications n
        where n.id >= v_lo and n.id < v_hi and (p_after is null or n.id > p_after)
          and (p_reference is null or n.reference = p_reference)
        order by n.id
        limit v_left) n
    loop
      following := v_id;
      v_left := v_left - 1;
      if v_fits then
        ids := ids || v_id;
        v_more := cardinality(ids) = p_limit;
        exit when v_more;
      end if;
    end loop;
    v_more := v_more or v_left <= 0;
    exit when v_more;
    following := v_hi;
  end loop;
  if not v_more then
    following := null;
  end if;
  return next;
end
$$;

comment on function notify.find_person(text[], text, uuid, integer, integer) is
  'find_person(p_recipients, p_reference, p_after, p_limit, p_look_max) -> one row';
