-- wait(ids, timeout, pending), a procedure
--
-- Wait until notifications of the caller's have ended. It looks, commits and sleeps, so that it holds no lock on the
-- ledger meanwhile, and no snapshot for longer than a second.
--
-- Args     ids uuid[], at most 1000; timeout interval, from 0, which is one look, to a day; pending is for its result: leave it
--          out, but in PL/pgSQL, which wants a variable there
-- Returns  pending uuid[]: what has not ended in time; {}: all have
-- Raises   2D000: it is called inside a transaction block or a function, where it cannot commit; 22023: timeout;
--          what unended() raises
-- Note     It looks after 50 ms, and each time a half later, up to a second. A notification that failed has ended
--          as well. It runs with the caller's rights and search_path, because a procedure with SET or SECURITY
--          DEFINER cannot commit: so it qualifies every function, operator and type
-- Caller   the migration 9999 deploys it; producers call it
create or replace procedure notify.wait(ids uuid[], timeout interval, inout pending uuid[] default null)
language plpgsql as $$
declare
  v_until pg_catalog.timestamptz;
  v_pause_s pg_catalog.float8 := 0.05;
  v_left_s pg_catalog.float8;
begin
  if pg_catalog.pg_current_xact_id_if_assigned() is not null then
    raise exception 'notify.wait() inside a transaction would wait for what nobody can see yet'
      using errcode = '2D000', hint = 'Commit first, and call it outside of a transaction block (autocommit).';
  end if;
  commit;                                       -- inside a transaction block this raises 2D000
  if timeout is null or timeout operator(pg_catalog.<) '0' or timeout operator(pg_catalog.>) '1 day' then
    raise exception 'notify.wait() waits from 0 seconds to a day'
      using errcode = '22023', hint = 'Give a timeout such as ''30 seconds''.';
  end if;
  v_until := pg_catalog.clock_timestamp() operator(pg_catalog.+) timeout;
  pending := ids;
  loop
    pending := notify.unended(pending);
    commit;
    v_left_s := pg_catalog.date_part('epoch', v_until operator(pg_catalog.-) pg_catalog.clock_timestamp());
    exit when pending operator(pg_catalog.=) '{}' or v_left_s operator(pg_catalog.<=) 0;
    perform pg_catalog.pg_sleep(least(v_pause_s, v_left_s));
    v_pause_s := least(v_pause_s operator(pg_catalog.*) 1.5, 1);
  end loop;
end
$$;

comment on procedure notify.wait(uuid[], interval, uuid[]) is 'wait(ids, timeout, pending), a procedure';
