"""Every example of the client's README, as pasted, on the real schema and the real API."""

import os
import re
import subprocess
import sys
from pathlib import Path

import notification_client
import pytest

from tests.integration.api.serving import serving
from tests.ops.test_sql_page import order, sent, shop, url

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "service" / "client" / "README.md").read_text(encoding="utf-8")
STABILITY = (ROOT / "ops" / "STABILITY.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
IN_SQL = [text for text in PROGRAMS if "DATABASE_URL" in text]
[OVER_HTTP] = [text for text in PROGRAMS if "NOTIFY_URL" in text]
__all__ = ["shop"]  # a fixture


def run(program, tmp_path, environment):
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, file], env=os.environ | environment,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("program", IN_SQL, ids=range(len(IN_SQL)))
def test_a_program_sends_in_its_transaction(db, dsn, shop, tmp_path, program):
    out = run(program, tmp_path, url(dsn, shop))
    assert sent(db) == [order()]
    assert len(shop.execute("select from orders").fetchall()) == ("into orders" in program)
    assert out.startswith("channel_is_known" * ("Refused" in program))


def test_a_program_sends_over_http(db, dsn, tmp_path):
    with serving(dsn) as api:
        url = {"NOTIFY_URL": f"http://127.0.0.1:{api.port}"}
        assert run(OVER_HTTP, tmp_path, url) == "queued\n"
    assert [row[1:5] for row in sent(db)] == [("log", "somebody", {"order": 42}, "order-42")]


def test_what_is_promised_to_stay_is_what_is_exported():
    promised = STABILITY.partition("\n## The client for Python\n")[2].partition("\n## ")[0]
    [names] = re.findall(r"```text\n(.*?)```", promised, re.DOTALL)
    assert names.split() == sorted(notification_client.__all__)


def test_the_page_names_every_error_and_every_verb():
    errors = {
        name
        for name in notification_client.__all__
        if isinstance(kind := getattr(notification_client, name), type)
        and issubclass(kind, Exception)
    }
    verbs = {name for name in vars(notification_client.Client) if not name.startswith("_")}
    named = set(re.findall(r"`(\w+)", PAGE))
    assert errors - named == set()
    assert verbs - {"close"} - named == set()
    assert set(notification_client.Options.__annotations__) - named == set()
