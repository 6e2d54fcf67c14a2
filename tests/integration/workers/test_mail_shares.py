"""One mail server takes all mail: a domain behind it that hangs holds up nobody else's."""

import asyncio
import json
import socket
import threading
import time
from collections import Counter

import pytest
from aiosmtpd.controller import Controller

from service.config.settings import Settings
from service.model.words import Outcome
from tests import ledger
from tests.waiting import wait_for
from workers.channels.channel import Mail
from workers.channels.email import EmailChannel, domain
from workers.doubts import Doubts
from workers.transfers import Transfers, smtp_server

PAYLOAD = json.dumps({"subject": "hello", "text": "there"})
AT_ONCE = EmailChannel.at_once_max


class Relay:
    """Answers RCPT at once, but for the domains whose own server it waits for."""

    port: int
    loop: asyncio.AbstractEventLoop

    def __init__(self):
        self.hangs = set()
        self.free = None
        self.taken = Counter()  # by domain as it was written
        self.held = 0
        self.slow_at_the_end = set()
        self.peers = set()

    left = 0

    async def handle_QUIT(self, server, session, envelope):  # noqa: N802
        self.left += 1
        return "221 2.0.0 bye"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.free = self.free or asyncio.Event()
        self.peers.add(session.peer)
        name = address.rpartition("@")[2]
        if name in self.hangs:
            self.held += 1
            await self.free.wait()
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        name = envelope.rcpt_tos[0].rpartition("@")[2]
        if name in self.slow_at_the_end:
            self.held += 1
            await self.free.wait()
        self.taken[name] += 1
        return "250 2.0.0 taken"

    def let_go(self):
        self.loop.call_soon_threadsafe(lambda: self.free and self.free.set())
        self.hangs.clear()


@pytest.fixture
def relay():
    relay = Relay()
    with socket.create_server(("127.0.0.1", 0)) as free:
        relay.port = free.getsockname()[1]
    controller = Controller(relay, hostname="127.0.0.1", port=relay.port, enable_SMTPUTF8=True)
    controller.start()
    relay.loop = controller.loop
    yield relay
    relay.let_go()
    controller.stop()


@pytest.fixture
def mail(db):
    def mail(domain, n=1):
        ledger.enqueue(db, n, channel="email", recipient=f"somebody@{domain}", payload=PAYLOAD)

    return mail


def started(start, relay, **given):
    given = {"send_deadline_s": 60.0, "lease_s": 120.0, **given}
    url = f"smtp://127.0.0.1:{relay.port}"
    return start(smtp_url=url, mail_from="us@example.org", **given)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_all_others_arrive_while_one_domain_hangs(mail, start, relay, threads):
    relay.hangs = {"slow.example.org"}
    mail("slow.example.org", 100)
    started(start, relay, num_threads=threads)
    wait_for(lambda: relay.held)
    for n in range(10):
        mail(f"other-{n}.example.org", 10)
    wait_for(lambda: relay.taken.total() == 100)
    assert "slow.example.org" not in relay.taken
    assert relay.held <= threads
    relay.let_go()
    wait_for(lambda: relay.taken["slow.example.org"] == 100)
    assert len(relay.peers) <= AT_ONCE * threads


def test_a_reply_that_hangs_at_the_end_of_a_mail_holds_up_nothing(mail, db, start, relay, sink):
    relay.slow_at_the_end = {"slow.example.org"}
    mail("slow.example.org", 3)
    worker = started(start, relay, num_threads=1)
    wait_for(lambda: relay.held)
    mail("other.example.org", 20)
    ledger.enqueue(db, 20, channel="webhook", recipient=sink.url + "/status/200", payload="{}")
    wait_for(lambda: relay.taken["other.example.org"] == 20 and len(sink.requests) == 20)
    assert "slow.example.org" not in relay.taken
    assert worker._senders[0]._transfers.is_busy  # it is still waited for


def test_a_new_connection_takes_the_place_of_the_one_before(relay):
    url = f"smtp://127.0.0.1:{relay.port}"
    doubts = Doubts()
    transfers = Transfers(Settings(send_deadline_s=10.0, smtp_url=url), doubts=doubts)
    mail = Mail(mail_from="a@a.example", mail_to="b@b.example", body=b"S: t\r\n\r\nt\r\n")
    for _ in range(5):
        doubts.failed(smtp_server(url).origin, time.monotonic())
        assert transfers.start(mail, None) is None
        wait_for(lambda: list(transfers.wait(0.1)))
    assert len(relay.peers) == 5
    wait_for(lambda: relay.left == 4)
    transfers.close()


def mail_threads():
    return {thread for thread in threading.enumerate() if thread.name == "mail"}


def test_mails_go_out_in_threads_that_last_and_end_with_the_transfers(relay):
    before = mail_threads()
    transfers = Transfers(Settings(smtp_url=f"smtp://127.0.0.1:{relay.port}"))
    mail = Mail(mail_from="a@a.example", mail_to="b@b.example", body=b"S: t\r\n\r\nt\r\n")
    seen = set()
    for _ in range(5):
        assert transfers.start(mail, None) is None
        assert transfers.start(mail, None) is None
        seen |= mail_threads() - before
        ended = []
        wait_for(lambda ended=ended: ended.extend(transfers.wait(0.1)) or len(ended) == 2)
    assert len(seen) == 2
    transfers.close()
    wait_for(lambda: not seen & mail_threads())


def test_a_mail_that_hangs_ends_with_the_transfers(relay):
    before = mail_threads()
    relay.hangs = {"slow.example.org"}
    transfers = Transfers(Settings(smtp_url=f"smtp://127.0.0.1:{relay.port}"))
    body = b"S: t\r\n\r\nt\r\n"
    hangs = Mail(mail_from="a@a.example", mail_to="b@slow.example.org", body=body)
    assert transfers.start(hangs, "hangs") is None
    wait_for(lambda: relay.held)
    assert transfers.abort() == ["hangs"]
    wait_for(lambda: mail_threads() <= before)
    transfers.close()


@pytest.mark.slow
def test_all_others_arrive_while_several_domains_hang(mail, start, relay):
    relay.hangs = {f"slow-{n}.example.org" for n in range(AT_ONCE - 1)}
    for name in relay.hangs:
        mail(name, 20)
    started(start, relay, num_threads=1, sends_per_thread=64)
    wait_for(lambda: relay.held == len(relay.hangs))
    mail("other.example.org", 30)
    mail("another.example.org", 30)
    wait_for(lambda: relay.taken.total() == 60)
    assert relay.held == AT_ONCE - 1
    relay.let_go()
    wait_for(lambda: relay.taken.total() == 60 + 20 * (AT_ONCE - 1))


def test_however_a_domain_is_written_it_is_one(mail, start, relay):
    spelled = ["slow.example.org", "SLOW.example.org", "Slow.Example.ORG"]
    relay.hangs = {"slow.example.org"}
    for name in spelled:
        mail(name, 20)
    started(start, relay, num_threads=1)
    wait_for(lambda: relay.held)
    mail("other.example.org", 20)
    wait_for(lambda: relay.taken["other.example.org"] == 20)
    assert relay.held == 1


@pytest.mark.parametrize("slots", [2, 3, 8])
def test_with_few_slots_every_mail_arrives(mail, start, relay, slots):
    for n in range(20):
        mail(f"domain-{n % 5}.example.org", 3)
    started(start, relay, num_threads=2, sends_per_thread=slots)
    wait_for(lambda: relay.taken.total() == 60)


def test_a_domain_that_hangs_is_left_alone_and_its_server_is_not(mail, db, start, relay):
    relay.hangs = {"slow.example.org"}
    mail("slow.example.org", 40)
    worker = started(start, relay, num_threads=2, send_deadline_s=1.0, max_retries=20)
    breakers = worker._senders[0]._standing._breakers._known
    wait_for(lambda: any(breaker.opened_at for breaker in dict(breakers).values()))
    mail("other.example.org", 10)
    wait_for(lambda: relay.taken["other.example.org"] == 10)
    opened = [name for name, breaker in dict(breakers).items() if breaker.opened_at]
    assert opened == [f"smtp://127.0.0.1:{relay.port} slow.example.org"]
    assert {row.outcome for row in db.execute("select outcome from notify.attempts")} == {
        Outcome.TEMPORARY,
        Outcome.SENT,
    }


@pytest.mark.parametrize(
    "spelled",
    ["faß.de", "FAß.de", "xn--fa-hia.de", "XN--FA-HIA.DE", "xn--fa-hia.de.", "fa\u00df\u3002de"],
)
def test_an_international_domain_is_known_as_it_goes_out(spelled):
    assert domain(spelled) == "xn--fa-hia.de"


@pytest.mark.parametrize("odd", ["", ".", "..", "[127.0.0.1]", "a b", "\udcff", "x" * 300])
def test_what_is_no_domain_has_a_share_as_well(odd):
    assert domain(odd) == odd.lower()
