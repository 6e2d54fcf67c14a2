"""ops/examples/django_shop, as it stands: by a role that may send, a real worker, HTTP and SMTP."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from psycopg.sql import SQL, Identifier

from tests.integration.workers.conftest import build, registry, sink, start
from tests.integration.workers.scripted_smtp import ScriptedSmtp
from tests.producers import producer
from tests.waiting import wait_for

__all__ = ["build", "registry", "sink", "start"]  # fixtures

ENDED = "select settled_at from notify.notifications"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def python(db, dsn, sink):
    """Run Python in the example, as a role that may send and make its own tables; gives lines."""
    with producer(db, dsn) as session:
        user, at = session.info.user, urlsplit(dsn)
        db.execute(SQL("grant create on schema public to {}").format(Identifier(user)))
        environment = {
            "DATABASE_URL": f"postgresql://{user}:p@{at.hostname}:{at.port}{at.path}",
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": f".:{ROOT / 'service' / 'client'}",
            "HOOK": f"{sink.url}/status/200",
        }

        def run(*argv):
            done = subprocess.run(
                [sys.executable, "-B", *argv], cwd=ROOT / "ops" / "examples" / "django_shop",
                env=os.environ | environment, capture_output=True, text=True, timeout=250,
                check=False,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, "")
            return done.stdout.splitlines()

        yield run


def test_the_shop_places_one_order_and_rolls_one_back(db, python, start, sink):
    python("-m", "django", "migrate", "--run-syncdb")
    assert python("-m", "django", "check_notify")[-1].endswith("send_mail() goes this way")
    assert python("orders.py") == ["order 1", "rolled back: nothing is free"]
    assert python("orders.py", "1") == ["queued"]
    smtp = ScriptedSmtp()
    try:
        start(smtp_url=f"smtp://127.0.0.1:{smtp.port}", mail_from="Shop <shop@example.org>")
        wait_for(lambda: all(row.settled_at for row in db.execute(ENDED)))
    finally:
        smtp.close()
    assert python("orders.py", "1") == ["sent"]
    [(recipient, mail)] = smtp.mails
    assert "ada@example.org" in str(recipient)
    assert b"Subject: Order 1" in mail
    assert len(sink.requests) == 1
