"""Closed pipes, full disks, terminals that know few characters, Ctrl-C."""

import gc
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from service.cli import client
from service.cli.running import on_our_loop
from tests.acceptance.conftest import NOTIFY
from tests.integration.api.serving import LINE
from tests.integration.cli.conftest import ended
from tests.integration.cli.terminal import Terminal
from tests.integration.cli.test_mistakes import ASKING, ID
from tests.keys import make
from tests.waiting import LIMIT_S, wait_for


@pytest.mark.parametrize(
    "argv",
    [["--version"], ["list"], ["list", "--json"], ["doctor"], ["doctor", "--json"], ["migrate"],
     ["redrive", ID]],
)  # fmt: skip
def test_a_pipe_that_nobody_reads_ends_a_command_in_silence(process, api, dsn, argv):
    reading, writing = os.pipe()
    os.close(reading)
    env = {"DATABASE_URL": dsn, "PORT": str(api.port)}
    done = ended(process(*argv, env=env, stdout=writing))
    os.close(writing)
    assert (done.code, done.err) == (141, "")


def test_a_full_disk_is_told(process, api):
    with Path("/dev/full").open("wb") as full:
        done = ended(process("list", env={"PORT": str(api.port)}, stdout=full))
    assert (done.code, done.err) == (1, "notify: output: No space left on device\n")


def test_closed_streams_are_no_fault(bare, api):
    command = f"{NOTIFY} list --url http://127.0.0.1:{api.port} <&- >&- 2>&-"
    assert subprocess.run(command, shell=True, timeout=LIMIT_S, check=False).returncode == 0


@pytest.mark.parametrize("to", [">/dev/full", ">&-", ">/dev/null"])
def test_a_key_that_nobody_has_seen_is_none(bare, dsn, db, to):
    old = make(db)
    for verb in ("create --producer web", f"rotate {old.id} --grace 0s"):
        done = subprocess.run(
            f"DATABASE_URL={dsn} {NOTIFY} keys {verb} {to}",
            shell=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 1
    keys = db.execute("select id, expires_at from notify.api_keys").fetchall()
    assert [(key.id, key.expires_at) for key in keys] == [(old.id, None)]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_character_comes_through_any_terminal(process, api, encoding):
    base = f"http://127.0.0.1:{api.port}"
    client.send(base, LINE | {"recipient": "grün 😀"})
    env = {"PYTHONIOENCODING": encoding, "PORT": str(api.port)}
    shown = process("list", env=env)
    out, err = shown.communicate(timeout=LIMIT_S)
    assert (shown.returncode, err) == (0, b"")
    assert "gr" in out.decode(encoding)
    listed = process("list", "--json", env=env)
    out, _ = listed.communicate(timeout=LIMIT_S)
    assert json.loads(out.decode(encoding))["items"][0]["recipient"] == "grün 😀"


@pytest.mark.parametrize(("no_color", "has_colors"), [("", True), ("1", False)])
def test_no_color_means_none(bare, dsn, no_color, has_colors):
    env = {"DATABASE_URL": dsn, "NO_COLOR": no_color, "BACKOFF_BASE_S": "1"}  # which is warned of
    with Terminal(200, "migrate", **env) as terminal:
        shown = terminal.until_it_ends()
    assert "BACKOFF_BASE_S" in shown
    assert ("\x1b[" in shown) is has_colors


@pytest.mark.parametrize("argv", ASKING, ids=lambda argv: argv[0])
def test_ctrl_c_is_quiet(process, silent_server, argv):
    port, came = silent_server
    running = process(*argv, "--url", f"http://127.0.0.1:{port}")
    wait_for(came.is_set)
    running.send_signal(signal.SIGINT)
    done = ended(running)
    assert (done.code, done.out, done.err) == (130, "", "")


@pytest.mark.parametrize("argv", [["doctor"], ["migrate"]], ids=lambda argv: argv[0])
def test_ctrl_c_is_quiet_while_a_database_is_silent(process, silent_server, argv):
    port, came = silent_server
    running = process(*argv, env={"DATABASE_URL": f"postgresql://a:b@127.0.0.1:{port}/c"})
    wait_for(came.is_set)
    running.send_signal(signal.SIGINT)
    done = ended(running)
    assert (done.code, done.out, done.err) == (130, "", "")


@pytest.mark.filterwarnings("error")
def test_ctrl_c_just_before_the_loop_runs_prints_no_warning(monkeypatch, recwarn):
    def interrupted(**_):
        raise KeyboardInterrupt

    async def main(stop):
        await stop.wait()

    monkeypatch.setattr("service.cli.running.asyncio.Runner", interrupted)
    with pytest.raises(KeyboardInterrupt):
        on_our_loop(main(None))
    gc.collect()
    assert not recwarn.list
