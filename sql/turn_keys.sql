-- turn_keys() -> boolean
--
-- Forget idempotency keys whose window has passed: truncate the older table, and let the two change names.
-- Nothing is deleted row by row.
--
-- Returns  true: turned; false: it is not time yet, forget_from() says to wait, or a transaction has keys open. It gives up after 5 ms, and
--          then the keys of the window stay unique as they are: call it again
-- Locks    both tables of keys, ACCESS EXCLUSIVE, in the order in which take_key() locks them; whoever has
--          taken a key holds them until its transaction ends. So no key is in flight over a turn
-- Note     A key lives one window at least and two at most, or until forget_from() lets it go. take_key() looks at its
--          age as well, so that none lives longer than the window for a producer
-- Caller   LeaderStore.turn_keys
create or replace function notify.turn_keys() returns boolean
language plpgsql set search_path = pg_catalog, pg_temp set lock_timeout = '5ms' as $$
declare
  v_is_time boolean;
begin
  if notify.forget_from() is not null then
    return false;
  end if;
  -- A last turn that is to come: the clock was ahead, and would put the next one off. Or it is behind now, and to move
  -- the last turn there would make keys of this minute old once it is right. So it has to stay so for a day first.
  update notify.settings s set keys_turned_at = clock_timestamp()
  where s.keys_turned_at > clock_timestamp() + interval '1 hour' and s.forget_from > clock_timestamp() - interval '1 day';
  if exists (select from notify.settings s where s.keys_turned_at > clock_timestamp() + interval '1 hour') then
    perform notify.doubt_clock();
    return false;
  end if;
  if not exists (select from notify.settings s
    where s.keys_turned_at <= clock_timestamp() - s.idempotency_window) then
    return false;
  end if;
  lock table notify.idempotency_keys in access exclusive mode;
  lock table notify.idempotency_keys_before in access exclusive mode;
  update notify.settings s set keys_turned_at = clock_timestamp()
  where s.keys_turned_at <= clock_timestamp() - s.idempotency_window;
  v_is_time := found;                          -- false: another session turned them meanwhile
  if v_is_time then
    truncate notify.idempotency_keys_before;
    alter table notify.idempotency_keys rename to idempotency_keys_turning;
    alter table notify.idempotency_keys_before rename to idempotency_keys;
    alter table notify.idempotency_keys_turning rename to idempotency_keys_before;
  end if;
  return v_is_time;
exception when lock_not_available then
  return false;
end
$$;

comment on function notify.turn_keys() is 'turn_keys() -> boolean';
