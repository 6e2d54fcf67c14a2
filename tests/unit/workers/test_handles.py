"""What handles give to libcurl, and what answers say of the host that they came from."""

from types import SimpleNamespace

import pytest

from service.config.settings import Settings
from workers.channels.channel import Answer, Post
from workers.http_handle import HttpHandle
from workers.smtp_handle import SmtpHandle


@pytest.mark.parametrize("kind", [HttpHandle, SmtpHandle])
def test_an_answer_below_400_without_an_error_blames_no_host(kind):
    """Transfers ask for none of these."""
    handle = kind(Settings(smtp_url="smtp://127.0.0.1:1"))
    failed = [n for n in range(400) if handle.has_failed(Answer(status=n))]
    handle.give_up()
    assert failed == []


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 6, 7, 8, 100])
def test_a_body_is_given_whole_in_parts_as_large_as_asked_for(size):
    body = b"x" * size + b"end"
    handle = HttpHandle(Settings())
    handle.begin(Post(url="http://127.0.0.1:1/", headers=[], body=body))
    parts = []
    while part := handle._give(4):
        assert type(part) is bytes
        parts.append(part)
    assert b"".join(parts) == body
    assert {len(part) for part in parts[:-1]} <= {4}
    assert handle._give(4) == b""
    handle.give_up()


def test_a_body_that_fits_is_not_copied():
    body = b'{"a": 1}'
    handle = HttpHandle(Settings())
    handle.begin(Post(url="http://127.0.0.1:1/", headers=[], body=body))
    assert handle._give(len(body)) is body
    handle.give_up()


def test_an_empty_body_is_given_as_its_end():
    handle = HttpHandle(Settings())
    handle.begin(Post(url="http://127.0.0.1:1/", headers=[], body=b""))
    assert handle._give(4) == b""
    handle.give_up()


def test_libcurl_is_asked_to_wait_for_a_shared_connection_when_that_changes(monkeypatch):
    asked: list[bool] = []
    handle = HttpHandle(Settings())
    with monkeypatch.context() as patched:
        easy = SimpleNamespace(setopt=lambda _, shares: asked.append(shares))
        patched.setattr(handle, "easy", easy)
        for shares in (False, True, True, False, False, True):
            handle.set_sharing(shares)
    assert asked == [True, False, True]
    handle.give_up()
