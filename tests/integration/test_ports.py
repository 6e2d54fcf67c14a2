"""A port that we cannot have is reported before anything starts, with the process that has it."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from service.cli import main
from service.errors import StartError
from service.process.ports import reason, refuse_taken, refuse_twice
from tests.acceptance.conftest import free_port


@pytest.mark.parametrize(
    ("host", "theirs"),
    [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"),
     ("::1", "::1"), ("::", "::1")],
)  # fmt: skip
def test_who_listens_is_named_with_the_setting(host, theirs):
    with listening(theirs) as port, pytest.raises(StartError) as caught:
        refuse_taken(host, port, "PORT")
    assert str(caught.value).startswith(f"PORT={port}: cannot listen on {host}: process ")
    assert f"process {os.getpid()} (" in str(caught.value)


@pytest.mark.parametrize(
    ("host", "theirs"), [("127.0.0.1", "::1"), ("0.0.0.0", "::1"), ("::", "127.0.0.1")]
)
def test_the_same_port_of_the_other_family_is_free(host, theirs):
    with listening(theirs) as port:
        refuse_taken(host, port, "PORT")


@pytest.mark.parametrize(
    ("host", "theirs", "others"),
    [("127.0.0.2", "127.0.0.2", "127.0.0.1"), ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
     ("::1", "::1", "127.0.0.1"), ("127.0.0.1", "0.0.0.0", "::1")],
)  # fmt: skip
def test_who_has_the_port_of_another_address_is_not_named(host, theirs, others):
    with (
        listening(others) as port,
        elsewhere(theirs, port) as child,
        pytest.raises(StartError, match=f"cannot listen on {host}: process {child} "),
    ):
        refuse_taken(host, port, "PORT")


def test_who_listens_for_both_families_is_named():
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"process {os.getpid()} "):
            refuse_taken("127.0.0.1", port, "PORT")


@contextmanager
def elsewhere(address, port):
    """Listen in another process. Yields its id."""
    code = (
        "import socket, sys; at, port, family = sys.argv[1:]\n"
        "with socket.create_server((at, int(port)), family=int(family)):"
        " print(flush=True), sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, address, str(port), str(int(family_of(address)))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline()  # it listens
        yield child.pid
        child.stdin.close()


@contextmanager
def listening(address):
    """Listen on a free port."""
    with socket.create_server((address, 0), family=family_of(address)) as taken:
        yield taken.getsockname()[1]


def family_of(address):
    """Return the family of an address."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def test_a_free_port_is_left_free():
    port = free_port()
    refuse_taken("127.0.0.1", port, "PORT")
    refuse_taken("localhost", port, "PORT")
    with socket.create_server(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize(
    ("host", "reason_text"),
    [
        ("192.0.2.1", "it is no address of this machine"),
        ("2001:db8::1", "it is no address of this machine"),
        ("http://127.0.0.1", "not known"),
        ("a" * 70 + ".example", ""),
    ],
)
def test_an_address_that_is_not_ours_is_reported_as_such(host, reason_text):
    with pytest.raises(StartError, match=f"PORT=39100: cannot listen on {host}: .*{reason_text}"):
        refuse_taken(host, 39100, "PORT")


def test_a_low_port_without_rights_is_reported_as_such():
    error = PermissionError(13, "Permission denied")
    assert "below 1024 needs rights" in reason(error, "127.0.0.1", 80)
    assert reason(error, "127.0.0.1", 3000) == "Permission denied"


def test_one_port_for_two_is_refused_with_both_names():
    refuse_twice({"PORT": 3000, "a": 0, "b": 0, "c": 3001})
    with pytest.raises(StartError, match="b=3000: PORT has the same"):
        refuse_twice({"PORT": 3000, "a": 3001, "b": 3000})


@pytest.mark.parametrize("args", [[], ["--no-inbox"]])
def test_up_starts_and_migrates_nothing_when_its_port_is_taken(tmp_path, monkeypatch, capfd, args):
    monkeypatch.chdir(tmp_path)
    state = tmp_path / "state"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["up", "--state", str(state), "--port", port, *args]) == 1
    said = capfd.readouterr().err
    assert said.startswith(
        f"notify: PORT={port}: cannot listen on 127.0.0.1: process {os.getpid()} ("
    )
    assert said.count("\n") == 1
    assert not state.exists()


def test_up_refuses_the_inbox_on_the_apis_port(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    state, port = tmp_path / "state", str(free_port())
    options = ["--state", str(state), "--port", port, "--inbox-http-port", port]
    assert main(["up", *options]) == 1
    assert f"--inbox-http-port={port}: PORT has the same" in capfd.readouterr().err
    assert not state.exists()
