"""Several processes write to one pipe: no line is cut, and nobody waits for anybody."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from service.logs.stream import cut
from service.process import stdio
from tests.waiting import LIMIT_S, wait_for

LINES = 1_500
WRITER = f"""
import sys
from service.process import stdio
stdio.share_streams(int(sys.argv[1]))
left = [f"{{sys.argv[2]}} {{n}} " + "x" * (n * 37 % 900) + "." for n in range({LINES})]
while left:
    left = left[stdio.write(left)[0]:]
"""
HOLDER = """
import fcntl, sys
fcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def lock(monkeypatch):
    """Share our streams with those who get this descriptor, as long as the test runs."""
    monkeypatch.setattr(stdio, "shared_by", None)
    fd = stdio.share_streams()
    yield fd
    os.close(fd)


@contextmanager
def pipe():
    """Give both ends of a pipe."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def child(program, lock, *args, **streams):
    """Start a program that shares the lock."""
    argv = [sys.executable, "-c", program, str(lock), *args]
    return subprocess.Popen(argv, pass_fds=[lock], **streams)


def test_lines_of_several_processes_stay_whole_and_in_order(lock):
    reader, writer = os.pipe()
    writers = [child(WRITER, lock, name, stdout=writer) for name in "abc"]
    os.close(writer)
    with os.fdopen(reader) as lines:
        words = [line.split(" ") for line in lines]
    assert [one.wait(LIMIT_S) for one in writers] == [0, 0, 0]
    for name in "abc":
        own = [(number, rest) for of, number, rest in words if of == name]
        assert own == [(str(n), "x" * (n * 37 % 900) + ".\n") for n in range(LINES)]
    assert len(words) == 3 * LINES


def test_a_process_that_stopped_while_it_wrote_keeps_nobody_waiting(lock):
    holder = child(HOLDER, lock, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with pipe() as (reader, writer):
        assert not stdio.taken(writer, b"one\n", 0.01)
        holder.kill()  # its lock goes with it
        holder.communicate()
        assert stdio.taken(writer, b"two\n", 0.01)
        assert os.read(reader, 100) == b"two\n"


def test_who_writes_lets_the_others_write_again(lock):
    with pipe() as (reader, writer):
        assert stdio.taken(writer, b"ours\n", 0.0)
        theirs = child(WRITER.replace("range(1500)", "range(1)"), lock, "z", stdout=writer)
        assert theirs.wait(LIMIT_S) == 0
        assert stdio.taken(writer, b"ours\n", 0.0)
        wait_for(lambda: stdio.is_ready(writer, 0))
        assert os.read(reader, 1000) == b"ours\nz 0 .\nours\n"


def test_where_no_file_lives_in_memory_one_without_a_name_does(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fd = stdio.lock_file()
    assert list(tmp_path.iterdir()) == []
    os.close(fd)


@pytest.mark.parametrize("most", [5, 6, 7, 11, 4096])
def test_a_long_text_is_cut_between_lines(most):
    text = b"one\ntwo\n\nthree\nfour\n"
    pieces = list(cut(text, most))
    assert b"".join(pieces) == text
    assert all(len(piece) <= most for piece in pieces)
    whole = [piece for piece in pieces if piece.endswith(b"\n")]
    assert whole == pieces or most < len(b"three\n")


def test_a_line_that_is_longer_than_a_piece_is_cut_where_it_must_be():
    assert list(cut(b"a\n" + b"x" * 10 + b"\nb\n", 4)) == [
        b"a\n",
        b"xxxx",
        b"xxxx",
        b"xx\n",
        b"b\n",
    ]
    assert list(cut(b"", 4)) == [b""]
