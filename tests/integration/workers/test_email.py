import asyncio
import email
import email.policy
import json
import socket
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller

from tests import ledger
from tests.waiting import wait_for

PAYLOAD = {"subject": "Grüße", "text": ".dot\n..two\n.\nüber " + "x" * 2000}


class Mailboxes:
    """Answers by the recipient's name."""

    port: int

    def __init__(self):
        self.mails = []
        self.peers = set()

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.peers.add(session.peer)
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("full"):
            return "452 4.2.2 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        name = envelope.rcpt_tos[0].partition("@")[0]
        if name == "spam":
            return "554 5.7.1 looks like spam"
        if name == "slow":
            await asyncio.sleep(3)
            return "554 5.0.0 too late to matter"
        self.mails.append(
            SimpleNamespace(
                sender=envelope.mail_from,
                to=envelope.rcpt_tos[0],
                message=email.message_from_bytes(envelope.content, policy=email.policy.default),
            )
        )
        return "250 2.0.0 taken"


@pytest.fixture
def mailboxes():
    handler = Mailboxes()
    with socket.create_server(("127.0.0.1", 0)) as free:
        handler.port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port, enable_SMTPUTF8=True)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture
def send(db, start, mailboxes):
    """Send one mail; return its row and its attempts once it is settled."""
    start(
        smtp_url=f"smtp://127.0.0.1:{mailboxes.port}",
        mail_from="Notify <us@example.org>",
        max_retries=0,
        send_deadline_s=2.0,
        num_threads=1,
    )

    def send(to, payload=PAYLOAD, insert=ledger.insert):
        id_ = insert(db, channel="email", recipient=to, payload=json.dumps(payload)).id
        wait_for(lambda: ledger.row(db, id_).settled_at)
        return ledger.row(db, id_), ledger.attempts_of(db, id_)

    return send


def test_a_mail_arrives_as_it_was_written(send, mailboxes):
    row, (attempt,) = send("a@example.org")
    (mail,) = mailboxes.mails
    assert (mail.sender, mail.to) == ("us@example.org", "a@example.org")
    assert mail.message["Subject"] == "Grüße"
    assert mail.message["Message-ID"] == f"<{row.id}@example.org>"
    assert mail.message.get_content().replace("\r\n", "\n") == PAYLOAD["text"] + "\n"
    assert (row.status, attempt.code, attempt.excerpt) == ("sent", "250", "250 2.0.0 taken")


def test_one_connection_carries_many_mails(send, mailboxes):
    for n in range(5):
        assert send(f"a{n}@example.org")[0].status == "sent"
    assert len(mailboxes.peers) == 1


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("nobody@example.org", ("permanent", "550", "550 5.1.1 no such mailbox")),
        ("spam@example.org", ("permanent", "554", "554 5.7.1 looks like spam")),
    ],
)
def test_a_refusal_is_judged_and_the_next_mail_goes_out(send, to, expected):
    _, (attempt,) = send(to)
    assert (attempt.outcome, attempt.code, attempt.excerpt) == expected
    assert send("a@example.org")[0].status == "sent"


def test_a_mailbox_that_is_full_waits(db, send):
    [id_] = ledger.enqueue(
        db, channel="email", recipient="full@example.org", payload=json.dumps(PAYLOAD)
    )
    wait_for(lambda: ledger.attempts_of(db, id_))
    [attempt] = ledger.attempts_of(db, id_)
    assert (attempt.outcome, attempt.code) == ("deferred", "452")
    assert ledger.status(db, id_) == "queued"
    assert send("a@example.org")[0].status == "sent"


def test_a_late_reply_does_not_answer_the_next_mail(send, mailboxes):
    assert send("slow@example.org")[1][0].outcome == "unknown"
    for n in range(3):
        assert send(f"a{n}@example.org")[0].status == "sent"


def test_a_name_beyond_ascii_is_reached(send, mailboxes):
    assert send("jörg@bücher.example")[0].status == "sent"
    assert mailboxes.mails[0].to == "jörg@xn--bcher-kva.example"


def test_a_header_that_would_be_two_never_leaves(send, mailboxes):
    row, (attempt,) = send(
        "a@example.org",
        PAYLOAD | {"subject": "a\r\nBcc: b@example.org"},
        ledger.restore,  # accept() would refuse it
    )
    assert (row.status, attempt.code) == ("failed", "invalid_header")
    assert not mailboxes.mails
