"""A mail server that takes its time: the deadline of a send is all that counts, once it is there.

Limits are made short here; how long anything took is not looked at.
"""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import pytest

from service.config.settings import Settings
from service.model.words import Outcome
from tests.integration.workers.scripted_smtp import SILENT, ScriptedSmtp
from tests.unit.workers.claims import a_claim
from workers.channels.channel import Mail
from workers.channels.email import EmailChannel
from workers.transfers import Transfers

CONNECT_S = 0.1
LATE_S = 1.5  # the system looks at its limits a second after the last packet, at the latest
HUGE = "x" * 4_000_000  # more than the buffers of both ends hold


@pytest.fixture(autouse=True)
def short(monkeypatch):
    for module in ("http_handle", "smtp_handle"):
        monkeypatch.setattr(f"workers.{module}.CONNECT_MAX_S", CONNECT_S, raising=False)
    monkeypatch.setattr("workers.curl_handle.CONNECT_MAX_S", CONNECT_S)


class Late(ScriptedSmtp):
    """It waits before some of its steps, and before it reads a message."""

    def __init__(self, *slow_steps, **given):
        self.slow_steps = slow_steps
        super().__init__(**given)

    def reply(self, step):
        if step in self.slow_steps:
            time.sleep(LATE_S)  # in the server's own thread
        return super().reply(step)

    async def say(self, step, writer):
        said = await super().say(step, writer)
        if step == "data" and "message" in self.slow_steps:
            writer.transport.pause_reading()
            await asyncio.sleep(LATE_S)
            writer.transport.resume_reading()
        return said


def verdict_of(port, text="t", deadline_s=20.0, user=""):
    url = f"smtp://{user}127.0.0.1:{port}"
    settings = Settings(smtp_url=url, mail_from="us@example.org", send_deadline_s=deadline_s)
    channel, transfers = EmailChannel(settings), Transfers(settings)
    claim = a_claim({"subject": "s", "text": text}, channel="email", recipient="a@example.org")
    mail = channel.prepare(claim)
    assert isinstance(mail, Mail)
    try:
        assert transfers.start(mail, None) is None
        while not (ended := list(transfers.wait(1.0))):
            pass
        return channel.judge(ended[0][1])
    finally:
        transfers.close()


@contextmanager
def full_server():
    """Listen with no room for another connection: what comes is left without an answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for client in waiting:
            client.close()


@pytest.mark.parametrize("step", ["greeting", "ehlo", "auth", "login", "mail", "message", "end"])
def test_a_slow_step_costs_only_time(step):
    login = step in ("auth", "login")
    server = Late(step, offers=("AUTH PLAIN LOGIN",) if login else ())
    text = HUGE if step == "message" else "t"
    verdict = verdict_of(server.port, text, user="us:secret@" if login else "")
    server.close()
    assert verdict.outcome is Outcome.SENT, verdict


def test_a_server_that_takes_no_connection_is_given_up_before_the_deadline():
    with full_server() as port:
        verdict = verdict_of(port, deadline_s=600.0)
    assert (verdict.outcome, verdict.code) == (Outcome.UNREACHABLE, "timeout")
    assert "Failed to connect" in verdict.excerpt


@pytest.mark.parametrize(
    ("step", "missing"),
    [
        ("greeting", "no greeting"),
        ("ehlo", "no reply to EHLO"),
        ("auth", "no end of the login"),
        ("login", "no end of the login"),
        ("mail", "no reply to MAIL"),
        ("rcpt", "no reply to RCPT"),
        ("data", "no reply to DATA or the message"),
        ("end", "no reply to DATA or the message"),
    ],
)
def test_a_timeout_says_what_did_not_come(step, missing):
    login = step in ("auth", "login")
    server = ScriptedSmtp({step: SILENT}, ("AUTH PLAIN LOGIN",) if login else ())
    verdict = verdict_of(server.port, deadline_s=0.5, user="us:secret@" if login else "")
    server.close()
    assert verdict.code == "timeout"
    assert verdict.excerpt.startswith(f"{missing}: ")


def test_threads_of_mails_leave_no_connection_behind():
    """The server sees the end of a connection that it never greeted."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def watch():
            connection, _ = server.accept()
            with connection:
                while connection.recv(100):
                    pass
            ended.set()

        threading.Thread(target=watch, daemon=True).start()
        verdict_of(server.getsockname()[1], deadline_s=0.3)
        assert ended.wait(10)
