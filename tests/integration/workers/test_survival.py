"""An error at any step of a worker's loops costs no claim, no slot and no end of an attempt."""

import json
import socket
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from service.logs import logs
from tests import ledger
from tests.waiting import wait_for
from workers.breakers import Breakers
from workers.channels.channel import Line, Mail, Post
from workers.channels.email import EmailChannel
from workers.channels.log import LogChannel
from workers.channels.webhook import WebhookChannel
from workers.claimer import Claimer
from workers.destinations import Destinations
from workers.hints import Hints
from workers.loop import Loop
from workers.paces import Paces
from workers.reports import Reports
from workers.results import Results
from workers.sender import Sender
from workers.settler import Settler
from workers.slots import Slots
from workers.standing import Standing
from workers.store import Store
from workers.transfers import Transfers

ROWS = 12
STEPS = [
    (Hints, "next"),
    (Hints, "answered"),
    (Store, "claim"),
    (Store, "settle"),
    (Store, "release"),
    (Claimer, "_claim"),
    (Claimer, "_record"),
    (Claimer, "_log_row"),
    (Sender, "_begin_all"),
    (Sender, "_begin"),
    (Sender, "_find_place"),
    (Sender, "_start_transfer"),
    (Sender, "_conclude"),
    (Sender, "_judged"),
    (Sender, "_write_lines"),
    (Results, "hand_on"),
    (Sender, "_wait_s"),
    (Destinations, "enter"),
    (Destinations, "enter_behind"),
    (Destinations, "overdue"),
    (Standing, "park"),
    (Standing, "report"),
    (Breakers, "wait_s"),
    (Breakers, "report"),
    (Paces, "park"),
    (Paces, "report"),
    (Transfers, "start"),
    (Transfers, "wait"),
    (WebhookChannel, "destination"),
    (WebhookChannel, "prepare"),
    (WebhookChannel, "judge"),
    (EmailChannel, "destination"),
    (EmailChannel, "domain"),
    (EmailChannel, "prepare"),
    (EmailChannel, "judge"),
    (LogChannel, "destination"),
    (LogChannel, "prepare"),
    (LogChannel, "judge"),
    (Slots, "free"),
    (Settler, "_collect"),
    (Settler, "_settle"),
    (Settler, "_settle_batch"),
    (Reports, "settled"),
    (Reports, "_count"),
    (Reports, "released"),
    (Loop, "_survived"),
    (logs, "transitions"),
    (logs, "masked"),
]
# Of our own, and they raise nothing after they have begun a send: it would be settled twice.
BEGINNING = ("_begin", "_find_place", "_start_transfer", "enter", "enter_behind", "start")


class Takes:
    """Takes every mail."""

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        return "250 2.0.0 taken"


@pytest.fixture
def start_all(start, smtp_url):
    """Start a worker for all channels, whose leases outlast the test."""
    return lambda: start(
        smtp_url=smtp_url,
        mail_from="us@example.org",
        max_retries=20,
        num_threads=2,
        send_deadline_s=20.0,
        lease_s=300.0,
        shutdown_grace_s=1.0,
    )


@pytest.fixture(scope="module")
def smtp_url():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Takes(), hostname="127.0.0.1", port=port)
    controller.start()
    yield f"smtp://127.0.0.1:{port}"
    controller.stop()


def everything(db, sink):
    """Insert some of each channel."""
    ledger.enqueue(db, ROWS, channel="webhook", recipient=sink.url + "/held", payload="{}")
    mail = json.dumps({"subject": "hello", "text": "there"})
    ledger.enqueue(db, ROWS, channel="email", recipient="a@example.org", payload=mail)
    ledger.enqueue(db, ROWS)


def failing(monkeypatch, owner, name, late, error=RuntimeError):
    """Let a step raise three times, each before its work or after (`late`)."""
    step, left = getattr(owner, name), [3]

    def fails(*args, **kwargs):
        if not left[0]:
            return step(*args, **kwargs)
        left[0] -= 1
        if late:
            step(*args, **kwargs)
        raise error("injected")

    monkeypatch.setattr(owner, name, fails)
    return left


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        *((owner, name, False) for owner, name in STEPS),
        *((owner, name, True) for owner, name in STEPS if name not in BEGINNING),
    ],
    ids=lambda step: f"{step[0].__name__}-{step[1]}-{'after' if step[2] else 'before'}",
)
def test_an_error_at_any_step_costs_no_claim_and_no_slot(db, sink, start_all, monkeypatch, step):
    failing(monkeypatch, *step)
    all_are_sent(db, sink, start_all)


def all_are_sent(db, sink, start_all):
    """Send everything; all claims, slots and places are given back."""
    sink.hold.set()
    everything(db, sink)
    worker = start_all()
    settled = "select count(*) as n from notify.notifications where status = 'sent'"
    wait_for(lambda: db.execute(settled).fetchone().n == 3 * ROWS)
    slots = worker._claimer._slots
    wait_for(lambda: not slots.in_hand and slots.sending == 0)
    assert worker.alive
    assert not any(sender.load for sender in worker._senders)
    assert not any(sender._destinations._known for sender in worker._senders)


CALLS = [
    (channel, name)
    for channel in (WebhookChannel, EmailChannel, LogChannel)
    for name in ("destination", "domain", "prepare", "judge")
    if (channel, name) != (LogChannel, "domain")  # nobody asks it
]


@pytest.mark.parametrize("step", CALLS, ids=lambda step: f"{step[0].__name__}-{step[1]}")
def test_a_channel_that_exits_costs_no_claim_and_no_slot(db, sink, start_all, monkeypatch, step):
    owner, name = step
    failing(monkeypatch, owner, name, late=False, error=SystemExit)
    all_are_sent(db, sink, start_all)


NO_BYTES: Any = "text"
NO_TEXT: Any = 1


@pytest.mark.parametrize(
    "made",
    [
        None,
        "text",
        Line("text"),
        Post(url="https://127.0.0.1:1", headers=[], body=NO_BYTES),
        Post(url="https://127.0.0.1:1", headers=[NO_TEXT], body=b"{}"),
        Post(url="http://n.test:1", headers=[], body=NO_BYTES),
        Mail(mail_from="us@example.org", mail_to="a@example.org", body=NO_BYTES),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("resolver")
def test_a_channel_that_makes_no_transfer_holds_up_nobody(db, start, monkeypatch, made):
    monkeypatch.setattr(WebhookChannel, "prepare", lambda *_: made)
    ledger.enqueue(db, ROWS, channel="webhook", recipient="https://127.0.0.1:1", payload="{}")
    worker = start(
        max_retries=0, breaker_patience_mins=0, lease_s=300.0,
        smtp_url="smtp://mail.test:1", mail_from="us@example.org",
    )  # fmt: skip
    failed = "select count(*) as n from notify.notifications where status = 'failed'"
    wait_for(lambda: db.execute(failed).fetchone().n == ROWS)
    slots = worker._claimer._slots
    wait_for(lambda: not slots.in_hand and slots.sending == 0)
    assert not any(sender._destinations._known for sender in worker._senders)
