"""`notify api` where others are: refused without keys, unless its operator says otherwise."""

import os
import subprocess

import pytest

from tests.acceptance.conftest import NOTIFY, free_port
from tests.keys import make
from tests.waiting import LIMIT_S, wait_for


def start(dsn: str, port: int, **settings: str) -> "subprocess.Popen[str]":
    environ = os.environ | {"DATABASE_URL": dsn, "PORT": str(port), "HOST": "0.0.0.0"} | settings
    return subprocess.Popen(
        [NOTIFY, "api"], env=environ, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def test_without_keys_it_does_not_start_and_says_why_in_one_line(dsn: str) -> None:
    with start(dsn, free_port()) as process:
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    [line] = [line for line in err.splitlines() if line.startswith("notify: ")]
    assert "HOST=0.0.0.0" in line
    assert "notify keys create" in line
    assert "API_OPEN=true" in line


@pytest.mark.parametrize("how", ["a key", "API_OPEN"])
def test_with_a_key_or_by_its_operators_word_it_starts(dsn: str, db, how: str) -> None:
    if how == "a key":
        make(db)
    settings = {"API_OPEN": "true"} if how == "API_OPEN" else {}
    with start(dsn, port := free_port(), **settings) as process:
        lines: list[str] = []
        try:
            wait_for(lambda: f":{port}" in (lines.append(process.stderr.readline()) or lines[-1]))
        finally:
            process.terminate()
            process.communicate(timeout=LIMIT_S)
    told = "anybody_may_call" if how == "API_OPEN" else "keys_needed"
    assert sum(told in line for line in lines) == 1
