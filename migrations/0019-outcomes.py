"""The view of a producer's own notifications; 9999 deploys the functions that it calls too."""

from pathlib import Path

from yoyo import step

__depends__ = {"0016-doorway"}
SQL = Path(__file__).resolve().parent.parent / "sql"

step("set local search_path = pg_catalog, pg_temp")
step(
    (SQL / "speaking_role.sql").read_text(encoding="utf-8"),
    "drop function if exists notify.speaking_role",
)
# Of a view that is there nothing is changed: a later migration may have added columns at its end.
# security_barrier: no condition of the caller's sees a row of somebody else; but EXPLAIN ANALYZE
# tells how many rows of others it left out. The producer is asked for once, by a sub-select, and
# not for each row.
step(
    """
do $$
begin
  if to_regclass('notify.outcomes') is null then
    create view notify.outcomes with (security_barrier) as
    select n.id, n.reference, n.status, n.attempt, n.last_error_code as code, n.last_error as error,
      n.created_at, n.settled_at, case n.status when 'queued' then n.due_at end as next_try_at,
      n.channel, n.idempotency_key, n.max_attempts, n.send_at, n.expires_at, n.is_test,
      n.transaction_id, n.traceparent
    from notify.notifications n
    where n.producer = (select notify.producer_of(notify.speaking_role()));
  end if;
end
$$
""",
    "drop view if exists notify.outcomes",
)
step("comment on view notify.outcomes is 'what became of the notifications of who asks'", "select")
