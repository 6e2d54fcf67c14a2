import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pycurl
import pytest

from tests.unit.workers.test_poller import KINDS
from workers.multi import MOVES_MAX, MOVING_MAX_S, Moves, Multi

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture(autouse=True, params=KINDS)
def poller(request, monkeypatch):
    """Wait by one after the other."""
    monkeypatch.setattr("workers.multi.new_poller", request.param)


@contextmanager
def receiver(answers: int) -> Iterator[str]:
    """Serve connections one after another; each is closed after so many answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10.0)
        port = listening.getsockname()[1]
        ending = threading.Event()

        def serve() -> None:
            while not ending.is_set():
                connection, _ = listening.accept()
                with connection:
                    for _ in range(answers):
                        if not connection.recv(65536):
                            break
                        connection.sendall(OK)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            ending.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def get(multi: Multi, url: str) -> tuple[int, int]:
    """Make one transfer; return its error and how many connections it made."""
    easy = pycurl.Curl()
    easy.setopt(pycurl.URL, url)
    easy.setopt(pycurl.TIMEOUT_MS, 5000)
    easy.setopt(pycurl.SOCKOPTFUNCTION, multi.opened)
    multi.add(easy)
    while True:
        multi.run_timers()
        for ended, error, _ in multi.ended():
            made = ended.getinfo(pycurl.NUM_CONNECTS)
            multi.remove(ended)
            return error, made
        multi.wait(1.0)


@contextmanager
def multi() -> Iterator[Multi]:
    """Make one for a single connection; it is closed for the next."""
    made = Multi(1)
    try:
        yield made
    finally:
        made.close()


def watched(multi: Multi, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows with each call of the kernel about a socket that was opened."""
    calls: list[str] = []
    for name in ("register", "unregister"):
        method = getattr(multi._poller, name)

        def told(fd, *args, name=name, method=method):
            calls.append(name)
            return method(fd, *args)

        monkeypatch.setattr(multi._poller, name, told)
    return calls


def test_a_connection_that_is_used_again_stays_watched(monkeypatch):
    with receiver(answers=100) as url, multi() as transfers:
        assert get(transfers, url) == (0, 1)
        calls = watched(transfers, monkeypatch)
        assert [get(transfers, url) for _ in range(5)] == [(0, 0)] * 5
        assert calls == []


def test_one_that_its_receiver_closed_is_watched_no_more(monkeypatch):
    with receiver(answers=1) as url, multi() as transfers:
        assert get(transfers, url) == (0, 1)
        before = set(transfers._watched)  # libcurl has a descriptor of its own, too
        transfers.wait(5.0)  # ends with the close
        assert len(before - set(transfers._watched)) == 1
        assert transfers._unwanted <= set(transfers._watched)
        assert get(transfers, url) == (0, 1)


def test_a_new_socket_with_the_number_of_an_old_one_is_watched_anew():
    with receiver(answers=1) as closing, receiver(answers=100) as staying, multi() as transfers:
        for _ in range(3):
            assert get(transfers, closing) == (0, 1)
            assert get(transfers, staying) == (0, 1)


def test_an_idle_connection_that_could_be_written_to_is_left_as_it_is():
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs, multi() as transfers:
        transfers._watch(pycurl.POLL_OUT, ours.fileno(), None, None)
        transfers._watch(pycurl.POLL_REMOVE, ours.fileno(), None, None)
        transfers.wait(0.0)
        with pytest.raises(BlockingIOError):
            theirs.recv(1)
        theirs.send(b"!")
        transfers.wait(0.0)
        assert theirs.recv(1) == b"", "it is shut down"


def test_a_transfer_ends_that_moves_on_and_on_in_one_call_and_for_long(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("workers.multi.time.monotonic", lambda: now[0])
    multi = Multi(1)
    moves = Moves(multi)
    multi.begin_added()
    assert not any(moves.moved() for _ in range(2 * MOVES_MAX))
    now[0] = 2 * MOVING_MAX_S
    assert moves.moved()
    multi.begin_added()
    now[0] = 9.0  # the machine stood still
    assert not any(moves.moved() for _ in range(MOVES_MAX))
    multi.close()


def test_many_transfers_may_move_in_one_call(monkeypatch):
    monkeypatch.setattr("workers.multi.MOVING_MAX_S", -1.0)
    multi = Multi(1)
    multi.begin_added()
    many = [Moves(multi) for _ in range(2 * MOVES_MAX)]
    assert not any(moves.moved() for moves in many for _ in range(8))
    multi.close()
