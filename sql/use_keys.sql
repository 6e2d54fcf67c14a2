-- use_keys(p_ids) -> nothing
--
-- Note that these API keys were used just now.
--
-- Args     p_ids text[]
-- Note     The API calls it once a minute for all keys that were used since, so that no request pays for it. Of several
--          processes one writes: each row that is written is read twice by keys(), which each of them asks often
-- Locks    the rows, in the order of their ids, skipping what is locked: the next minute says the same
-- Caller   KeyStore.use
create or replace function notify.use_keys(p_ids text[]) returns void
language sql set search_path = pg_catalog, pg_temp as $$
  update notify.api_keys k set last_used_at = clock_timestamp()
  where k.id = any (array(
    select u.id from notify.api_keys u
    where u.id = any (p_ids)
      and coalesce(u.last_used_at not between clock_timestamp() - interval '50 seconds'
        and clock_timestamp() + interval '50 seconds', true)
    order by u.id for update skip locked))
$$;

comment on function notify.use_keys(text[]) is 'use_keys(p_ids) -> nothing';
