"""A ledger that another one is restored into is no longer at home; 9999 deploys sql/ too."""

from pathlib import Path

from yoyo import step

__depends__ = {"0023-audit"}
SQL = Path(__file__).resolve().parent.parent / "sql"

step("set local search_path = pg_catalog, pg_temp")
step(
    (SQL / "lose_home.sql").read_text(encoding="utf-8"),
    "drop function if exists notify.lose_home",
)
# Made anew, so that one that somebody's hand has switched off fires again.
step(
    """
drop trigger if exists lose_home on notify.ledger;
create trigger lose_home before insert on notify.ledger
for each row execute function notify.lose_home()
""",
    "drop trigger if exists lose_home on notify.ledger",
)
