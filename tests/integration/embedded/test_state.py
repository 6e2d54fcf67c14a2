"""The state directory: who may have it, and what it keeps."""

import base64
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.embedded.account import Account, let_in, servers_account
from service.embedded.kept import kept_settings
from service.embedded.ports import is_free
from service.embedded.servers import EmbeddedServers
from service.embedded.state import State, default_state
from service.errors import StartError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as another account")
not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
MEMBER = """
import os, sys
from pathlib import Path
from service.embedded.account import let_in, servers_account
os.setgroups([23456])
os.setgid(12345)
os.setuid(12345)
directory = Path(sys.argv[1])
let_in(servers_account(directory), directory)
"""


@pytest.fixture
def state(directory: Path) -> Iterator[State]:
    state = State(directory)
    yield state
    state.close()


def test_secrets_and_ports_stay_the_same(directory: Path) -> None:
    state = State(directory)
    kept = (state.password, state.webhook_secret, state.port("postgres"))
    state.close()
    state = State(directory)
    assert (state.password, state.webhook_secret, state.port("postgres")) == kept
    state.close()


def test_two_states_have_nothing_in_common(directory: Path) -> None:
    first, second = State(directory / "a"), State(directory / "b")
    assert first.password != second.password
    assert first.webhook_secret != second.webhook_secret
    first.close()
    second.close()


def test_webhook_secret_is_one_by_standard_webhooks(state: State) -> None:
    prefix, _, encoded = state.webhook_secret.partition("_")
    assert prefix == "whsec"
    assert 24 <= len(base64.b64decode(encoded, validate=True)) <= 64


def test_ports_are_free_ones(state: State) -> None:
    assert is_free(state.port("postgres"))
    assert state.port("postgres") != state.port("valkey")


def test_nobody_else_can_read_what_is_kept(state: State) -> None:
    assert state.password
    assert stat.S_IMODE((state.directory / "kept.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.directory.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)


def test_missing_parents_are_made_so_that_the_servers_can_pass(directory: Path) -> None:
    umask = os.umask(0o077)
    try:
        State(directory / "b" / "c").close()
    finally:
        os.umask(umask)
    let_in(servers_account(directory), directory / "b" / "c")


def test_a_file_in_the_way_is_refused_in_one_line(directory: Path) -> None:
    directory.write_text("")
    with pytest.raises(StartError, match="give another one by --state or NOTIFY_STATE"):
        State(directory / "below")


@not_root
def test_a_parent_that_cannot_be_written_is_refused_in_one_line(directory: Path) -> None:
    directory.mkdir(mode=0o500)
    with pytest.raises(StartError, match="Permission denied"):
        State(directory / "below")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", '{"password": null}', '{"postgres_port": "x"}', '{"a_port": "99999"}'],
)
def test_damaged_secrets_are_refused_in_one_line(directory: Path, text: str) -> None:
    directory.mkdir()
    (directory / "kept.json").write_text(text)
    with pytest.raises(StartError, match=r"kept\.json is damaged: restore it") as refused:
        State(directory)
    assert "\n" not in str(refused.value)
    assert kept_settings(directory) == {}


def test_secrets_that_are_lost_beside_a_database_are_not_made_anew(directory: Path) -> None:
    (directory / "postgres" / "data").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(StartError, match=r"kept\.json is missing beside a database") as refused:
            State(directory)
        assert "\n" not in str(refused.value)
        assert not (directory / "kept.json").exists()


@pytest.mark.parametrize("kept", ["{}", '{"postgres_port": "5432", "webhook_secret": "s"}'])
def test_secrets_that_are_incomplete_beside_a_database_are_not_made_anew(
    directory: Path, kept: str
) -> None:
    (directory / "postgres" / "data").mkdir(parents=True)
    file = directory / "kept.json"
    file.write_text(kept)
    with pytest.raises(StartError, match=r"kept\.json is incomplete beside a database"):
        State(directory)
    assert file.read_text() == kept


def test_a_valkey_alone_asks_for_no_secrets_of_a_database_and_stands_in_for_none(
    directory: Path,
) -> None:
    (directory / "postgres" / "data").mkdir(parents=True)
    servers = EmbeddedServers(directory, postgres=False)
    assert servers.state.password
    assert servers.state.webhook_secret
    servers.stop()
    with pytest.raises(StartError, match=r"kept\.json is incomplete beside a database"):
        EmbeddedServers(directory)


@pytest.mark.parametrize("name", ["superuser_password", "postgres_port"])
def test_secrets_of_a_database_need_no_more_than_an_earlier_version_kept(
    directory: Path, name: str
) -> None:
    (directory / "postgres" / "data").mkdir(parents=True)
    (directory / "kept.json").write_text(f'{{"password": "p", "{name}": "5432"}}')
    State(directory).close()


def test_default_state_lies_where_the_servers_can_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/some/where")
    root = os.geteuid() == 0
    assert default_state() == Path("/var/lib/notify" if root else "/some/where/notify")


def test_a_user_runs_the_servers_itself_and_root_does_not(directory: Path) -> None:
    account = servers_account(directory)
    assert account.uid != 0
    assert (account.credentials == {}) == (os.geteuid() != 0)


@as_root
def test_the_owner_of_the_data_runs_the_servers(directory: Path) -> None:
    directory.mkdir()
    os.chown(directory, 12345, 12345)
    assert servers_account(directory) == Account(uid=12345, gid=12345)


def test_a_closed_state_directory_is_opened_for_passing_only(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    let_in(Account(uid=12345, gid=12345), directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o711


def test_a_closed_parent_is_refused_in_one_line_and_left_alone(directory: Path) -> None:
    below = directory / "below"
    below.mkdir(parents=True)
    directory.chmod(0o700)
    with pytest.raises(StartError, match=f"cannot enter {directory}: give another one") as refused:
        let_in(Account(uid=12345, gid=12345), below)
    assert "\n" not in str(refused.value)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@as_root
def test_a_parent_may_be_entered_by_any_group_of_ours(directory: Path) -> None:
    below = directory / "below"
    below.mkdir(parents=True)
    os.chown(below, 12345, 12345)
    os.chown(directory, 0, 23456)
    directory.chmod(0o710)
    done = subprocess.run(
        [sys.executable, "-c", MEMBER, below], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
