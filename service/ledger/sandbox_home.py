"""Which ledgers a sandbox may have: an empty database, or one that a sandbox has made.

Else it would swallow what others are waiting for. SANDBOX is declared as the ENVIRONMENT of its
ledger (sql/home.sql): no sandbox sends from another ledger, and nobody else from a sandbox's.
"""

import psycopg

from service.config.postgres_url import place
from service.errors import StartError
from service.home import SANDBOX
from service.ledger.db import conninfo
from service.ledger.migrate import start_errors

IS_LEDGER = "select to_regclass('notify.notifications') is not null"
# Ledgers of older releases have no such table, or no such column.
HAS_SETTINGS = "select to_regclass('notify.settings') is not null"
NAME = "select to_jsonb(s) ->> 'environment' from notify.settings s"


def refuse_others_ledger(url: str) -> None:
    """Refuse a ledger that is not a sandbox's, before anything is written. Raises StartError."""
    with start_errors(), psycopg.connect(conninfo(url, "notify-sandbox")) as conn:
        if not said(conn, IS_LEDGER):
            return
        name = said(conn, HAS_SETTINGS) and said(conn, NAME)
    if name != SANDBOX:
        whose = f"of ENVIRONMENT={name}" if name else "without a sandbox"
        raise StartError(
            f"{place(url)} holds a ledger {whose}, whose notifications would go to the inbox: give"
            " the sandbox an empty database, or leave DATABASE_URL out"
        )


def said(conn: psycopg.Connection, query: str) -> object:
    """Give the one value of a query; None: there is no row."""
    row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None
