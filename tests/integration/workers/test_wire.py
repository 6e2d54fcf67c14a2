"""What a mail server sees of us, byte by byte."""

import email
import email.policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.config.settings import Settings
from tests.integration.workers.wire import WireServer
from tests.unit.workers.claims import a_claim
from workers.channels.channel import Mail
from workers.channels.email import EmailChannel
from workers.claim import Verdict
from workers.transfers import Transfers

PAYLOAD = {"subject": "s", "text": "t"}
FORGED = "=?utf-8?q?a=0D=0A=0D=0Ab=0D=0A.=0D=0AMAIL FROM:<x@y.z>?="


class Road:
    """A server, and the transfers to it of one thread."""

    def __init__(self, *offers):
        self.server = WireServer(*offers)
        self.settings = Settings(smtp_url=self.server.url, mail_from="us@example.org")
        self.transfers = Transfers(self.settings)

    def __getattr__(self, name):
        return getattr(self.server, name)

    def send(self, mail):
        """Send one mail, and give the answer."""
        assert self.transfers.start(mail, None) is None
        for _ in range(200):
            for _, answer in self.transfers.wait(0.1):
                return answer
        raise AssertionError("no answer")

    def judge(self, **given):
        """Send what these make, and judge the answer."""
        verdict = EmailChannel(self.settings).judge(self.send(prepared(**given)))
        return verdict.outcome, verdict.code

    def stop(self):
        self.transfers.close()
        self.server.stop()


@pytest.fixture(scope="module")
def wire():
    road = Road("SMTPUTF8", "SIZE")
    yield road
    road.stop()


@pytest.fixture(scope="module")
def old_wire():
    road = Road("SIZE")
    yield road
    road.stop()


def prepared(payload=PAYLOAD, recipient="a@example.org", mail_from="us@example.org"):
    channel = EmailChannel(Settings(smtp_url="smtp://127.0.0.1", mail_from=mail_from))
    return channel.prepare(a_claim(payload, channel="email", recipient=recipient))


anything = st.text(max_size=60) | st.lists(
    st.sampled_from(
        ["=?", "?=", FORGED, "\r\n", "\n", "\r", ".", "\r\n.\r\n", "\n.\n", " ", "\t", "Bcc: x@y.z",
         "\r\nBcc: x@y.z", "ü", "\u2028", "\x85", "x" * 90, "QUIT", "\0", "\ud800"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


payloads = st.fixed_dictionaries(
    {
        "subject": anything,
        "text": anything,
        "headers": st.dictionaries(
            st.sampled_from(["X-A", "List-Unsubscribe", "References", "Bcc"]) | anything,
            anything,
            max_size=1,
        ),
    },
    optional={"html": anything, "reply_to": st.just("r@bücher.example") | anything},
)
recipients = st.sampled_from(["a@example.org", "jörg@faß.de"]) | anything


@settings(max_examples=150)
@given(payload=payloads, recipient=recipients)
def test_any_input_is_one_envelope_with_our_headers_or_a_verdict(wire, payload, recipient):
    mail = prepared(payload, recipient)
    if isinstance(mail, Verdict):
        assert mail.outcome == "permanent"
        return
    mails, commands = len(wire.mails), len(wire.commands)
    assert wire.send(mail).status == 250
    assert wire.mails[mails:] == [mail.body]
    verbs = [command.split(":")[0] for command in wire.commands[commands:]]
    assert verbs[verbs[0].startswith("EHLO") :] == ["MAIL FROM", "RCPT TO", "DATA"]
    names = email.message_from_bytes(mail.body, policy=email.policy.default).keys()
    assert names == [
        *["Date", "Message-ID", "From", "To", "Subject"],
        *(["Reply-To"] if "reply_to" in payload else []),
        *payload["headers"],
        *["MIME-Version", "Content-Type"],
        *([] if "html" in payload else ["Content-Transfer-Encoding"]),
    ]


@pytest.mark.parametrize(
    "body",
    [b".\r\n", b"..\r\n", b".", b"a\r\n.\r\nQUIT\r\n", b"\r\n.\r\n.\r\n", b"a\r\n.", b".\r\n" * 9]
    + [b"x" * (65536 - n) + b"\r\n.\r\n..\r\nMAIL FROM:<x@y.z>\r\n" for n in range(5)]
    + [b"x" * (16384 - n) + b"\r\n.\r\nQUIT\r\n" for n in range(5)],
)
def test_a_line_of_dots_arrives_and_never_ends_the_mail(wire, body):
    mails = len(wire.mails)
    mail = Mail(mail_from="us@example.org", mail_to="a@example.org", body=body)
    assert wire.send(mail).status == 250
    assert wire.mails[mails:] == [body if body.endswith(b"\r\n") else body + b"\r\n"]
    assert wire.commands[-1] == "DATA"


@pytest.mark.parametrize("text", [".", "..", ".\n..\n.", "a\n.\nb", "." * 500, "x" * 75 + "." * 9])
def test_no_line_of_a_mail_of_ours_begins_with_a_dot(wire, text):
    mail = prepared({"subject": "s", "text": text})
    assert b"\r\n." not in mail.body
    assert wire.send(mail).status == 250
    got = email.message_from_bytes(wire.mails[-1], policy=email.policy.default).get_content()
    assert got.replace("\r\n", "\n") == text + "\n"


@pytest.mark.parametrize(
    ("recipient", "written"),
    [
        ("anna@faß.de", "anna@xn--fa-hia.de"),
        ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),  # u, and a mark that combines
        ("a@ドメイン。example", "a@xn--eckwd4c7c.example"),
        ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
    ],
)
def test_envelope_and_header_spell_a_domain_alike(old_wire, recipient, written):
    assert old_wire.judge(recipient=recipient) == ("sent", "250")
    assert f"RCPT TO:<{written}>" in old_wire.commands
    assert f"\r\nTo: {written}\r\n".encode() in old_wire.mails[-1]


@pytest.mark.parametrize(
    "given",
    [
        {"recipient": "jörg@example.org"},
        {"payload": PAYLOAD | {"reply_to": "jörg@example.org"}},
        {"mail_from": "Jörg <jörg@example.org>"},
    ],
)
def test_smtputf8_is_used_when_offered_and_only_then(wire, old_wire, given):
    assert wire.judge(**given) == ("sent", "250")
    assert "SMTPUTF8" in [c for c in wire.commands if c.startswith("MAIL")][-1].split()
    mails = len(old_wire.mails)
    for _ in range(2):
        assert old_wire.judge(**given) == ("permanent", "smtputf8_not_offered")
        assert old_wire.judge() == ("sent", "250")  # whose connection the next one uses
    assert not any(c.startswith("RCPT") and not c.isascii() for c in old_wire.commands)
    assert len(old_wire.mails) == mails + 2


def test_a_mail_in_ascii_does_not_ask_for_smtputf8(wire):
    assert wire.judge(payload={"subject": "ü", "text": "ü"}) == ("sent", "250")
    assert "SMTPUTF8" not in [c for c in wire.commands if c.startswith("MAIL")][-1]
