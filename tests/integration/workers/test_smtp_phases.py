"""What an SMTP server's reply means: judged by what it was the reply to, against a real one."""

import re

import pytest

from service.config.settings import Settings
from service.model.words import Outcome
from tests.integration.workers.scripted_smtp import DROP, SILENT, ScriptedSmtp
from tests.unit.workers.claims import a_claim
from workers.channels.email import EmailChannel
from workers.curl_handle import BODY_KEPT_BYTES
from workers.smtp_handle import SmtpHandle
from workers.transfers import Transfers

MAIL = a_claim({"subject": "s", "text": "t"}, channel="email", recipient="a@example.org")
LOGIN, TLS = ("AUTH PLAIN LOGIN",), ("STARTTLS",)
BEFORE_RCPT = ["greeting", "ehlo", "starttls", "auth", "login", "mail"]
ABOUT_THE_MAIL = ["rcpt", "data", "end"]

THROTTLED, UNREACHABLE, DEFERRED = Outcome.THROTTLED, Outcome.UNREACHABLE, Outcome.DEFERRED
TEMPORARY, PERMANENT, UNKNOWN = Outcome.TEMPORARY, Outcome.PERMANENT, Outcome.UNKNOWN

REPLY = re.compile(r"\[?'?[2-5][0-9][0-9][ -]")  # one, or a list of them


def offers(step):
    return {"starttls": TLS, "auth": LOGIN, "login": LOGIN}.get(step, ("SIZE 1000000",))


def judged(script, offered=(), times=1):
    """Send a mail so often over one thread's connections; say what the last answer means."""
    server = ScriptedSmtp(script, offered)
    ends_by_itself = all(said is DROP or REPLY.match(str(said)) for said in script.values())
    user = "us:secret@" if offered == LOGIN else ""
    settings = Settings(
        smtp_url=f"smtp://{user}127.0.0.1:{server.port}",
        mail_from="us@example.org",
        send_deadline_s=20.0 if ends_by_itself else 0.5,
    )
    channel, transfers = EmailChannel(settings), Transfers(settings)
    try:
        return [channel.judge(answer_to(channel.prepare(MAIL), transfers)) for _ in range(times)][
            -1
        ]
    finally:
        transfers.close()
        server.close()


def answer_to(mail, transfers):
    assert transfers.start(mail, None) is None
    while not (ended := list(transfers.wait(1.0))):
        pass
    return ended[0][1]


def outcome_of(step, said, **given):
    return judged({step: said}, offers(step), **given).outcome


@pytest.mark.parametrize("offered", [(), LOGIN, ("SIZE 1000000",)])
def test_a_mail_that_is_taken_is_sent(offered):
    verdict = judged({}, offered)
    assert (verdict.outcome, verdict.code, verdict.excerpt) == ("sent", "250", "250 2.0.0 queued")


def test_nothing_of_a_login_is_written_anywhere(capfd):
    judged({}, LOGIN)
    judged({"login": "535 5.7.8 wrong"}, LOGIN)
    written = capfd.readouterr()
    assert (written.out, written.err) == ("", "")


@pytest.mark.parametrize("said", ["421 busy", "421-4.3.2 going\r\n421 4.3.2 away"])
@pytest.mark.parametrize("step", ["greeting", "ehlo", "auth", "login", "mail", *ABOUT_THE_MAIL])
def test_421_means_not_now_in_every_phase(step, said):
    verdict = judged({step: said}, offers(step))
    assert (verdict.outcome, verdict.code) == (THROTTLED, "421")


@pytest.mark.parametrize(
    ("step", "said", "code"),
    [
        ("greeting", "554 5.7.1 your network is not welcome", "no_service"),
        ("greeting", "450 4.3.2 not now", "no_service"),
        ("greeting", "SSH-2.0-OpenSSH_9.6", None),
        ("auth", "535 5.7.8 wrong", "535"),
        ("auth", "503 5.5.1 no", "503"),
        ("auth", "550 5.7.1 no", "550"),
        ("auth", "454 4.7.0 try later", "454"),
        ("auth", "504 5.5.4 unknown mechanism", "504"),
        ("login", "535-5.7.8 two\r\n535 5.7.8 lines", "535"),
        ("login", "534 5.7.9 stronger", "534"),
        ("mail", "550 5.7.60 client may not send as this sender", "550"),
        ("mail", "530 5.7.0 log in first", "530"),
        ("mail", "553 5.7.1 sender not yours", "553"),
        ("mail", "451 4.7.1 later", "451"),
        ("mail", "452 4.3.1 disk full", "452"),
        ("mail", "501 5.1.7 bad sender", "501"),
    ],
)
def test_a_refusal_before_the_recipient_is_about_the_server_and_us(step, said, code):
    verdict = judged({step: said}, offers(step))
    assert verdict.outcome is UNREACHABLE
    assert code is None or verdict.code == code


def test_a_server_that_knows_no_hello_is_not_reached():
    assert judged({"ehlo": "502 no", "helo": "554 5.7.1 no"}).outcome is UNREACHABLE
    assert judged({"ehlo": "502 no"}).outcome is Outcome.SENT


def test_a_refused_starttls_is_never_about_the_mail():
    assert outcome_of("starttls", "220 go on") is UNREACHABLE  # and then no TLS
    assert outcome_of("starttls", "454 4.7.0 not now") in (UNREACHABLE, Outcome.SENT)


@pytest.mark.parametrize("said", ["552 5.3.4 too big", "552 too big", "553 5.6.7 ASCII only"])
def test_a_mail_that_is_refused_for_its_size_or_spelling_is_refused_for_good(said):
    assert outcome_of("mail", said) is PERMANENT


@pytest.mark.parametrize("step", ABOUT_THE_MAIL)
@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("450 4.2.0 greylisted", DEFERRED),
        ("451 4.7.1 try again later", DEFERRED),
        ("452 4.2.2 mailbox full", DEFERRED),
        ("451-4.7.1 two\r\n451 4.7.1 lines", DEFERRED),
        ("499 odd", DEFERRED),
        ("550 5.1.1 no such mailbox", PERMANENT),
        ("550-5.1.1 two\r\n550 5.1.1 lines", PERMANENT),
        ("554 5.7.1 spam", PERMANENT),
        ("552 5.2.2 full", PERMANENT),
        ("530 5.7.0 log in first", UNREACHABLE),
    ],
)
def test_a_refusal_from_the_recipient_on_is_about_this_mail(step, said, outcome):
    verdict = judged({step: said})
    assert (verdict.outcome, verdict.code) == (outcome, said[:3])
    first, *others = said.split("\r\n")
    told = [first.replace("-", " ", 1), *(line.rsplit(" ", 1)[-1] for line in others)]
    assert verdict.excerpt == " ".join(told)


@pytest.mark.parametrize("step", ABOUT_THE_MAIL)
def test_the_last_code_of_a_reply_that_changes_it_counts(step):
    verdict = judged({step: "250-fine\r\n550-so far\r\n550 no"})
    assert (verdict.outcome, verdict.code) == (PERMANENT, "550")
    assert verdict.excerpt == "550 so far no"


def test_a_reply_is_not_mixed_with_the_one_before():
    taken = "250-2.0.0 queued\r\n250 2.0.0 as 42"
    verdict = judged({"end": [taken, "550-one\r\n550 two"]}, times=2)
    assert verdict.excerpt == "550 one two"
    refused = judged({"mail": "250-two\r\n250 lines", "rcpt": "550 5.1.1 nobody"})
    assert refused.excerpt == "550 5.1.1 nobody"


def test_of_an_endless_reply_the_beginning_is_kept():
    handle = SmtpHandle(Settings(smtp_url="smtp://127.0.0.1:1"))
    for number in range(10_000):
        handle._reply(b"550-line %d\r\n" % number)
    kept = handle.answer(0, "").body
    handle.give_up()
    assert kept.startswith(b"550-line 0\r\n550-line 1\r\n")
    assert len(kept) == BODY_KEPT_BYTES


@pytest.mark.parametrize("said", [DROP, "250-half a reply\r\n-\n", "550-half a refusal\r\n-\n"])
@pytest.mark.parametrize(
    ("step", "outcome"),
    [(step, UNREACHABLE) for step in BEFORE_RCPT]
    + [("rcpt", TEMPORARY), ("data", TEMPORARY), ("end", UNKNOWN)],
)
def test_a_connection_that_ends_without_a_whole_reply_is_judged_by_its_phase(step, said, outcome):
    assert outcome_of(step, said) is outcome


@pytest.mark.parametrize(
    ("step", "outcome"),
    [("greeting", UNREACHABLE), ("mail", UNREACHABLE), ("rcpt", TEMPORARY), ("end", UNKNOWN)],
)
def test_silence_is_judged_by_its_phase(step, outcome):
    verdict = judged({step: SILENT})
    assert (verdict.outcome, verdict.code) == (outcome, "timeout")


@pytest.mark.parametrize("said", ["2" * 70_000, "2" * 200_000, "250 \0", ""])
@pytest.mark.parametrize(
    ("step", "outcome"),
    [(step, UNREACHABLE) for step in BEFORE_RCPT]
    + [("rcpt", TEMPORARY), ("data", TEMPORARY), ("end", UNKNOWN)],
)
def test_what_is_no_reply_is_judged_by_its_phase(step, said, outcome):
    verdict = judged({step: said}, offers(step))
    assert verdict.outcome is outcome
    assert verdict.code in ("no_service", "timeout", "login_denied")


@pytest.mark.parametrize("said", ["251 forwarded", "252 maybe", "250-two\r\n250 lines"])
def test_any_success_at_the_end_means_that_it_was_taken(said):
    assert outcome_of("end", said) is Outcome.SENT


@pytest.mark.parametrize("said", ["354 go on", "150 what", "999 what", "what"])
def test_an_odd_reply_at_the_end_leaves_it_open_whether_it_was_taken(said):
    assert outcome_of("end", said) is UNKNOWN


@pytest.mark.parametrize(
    ("step", "said", "outcome"),
    [
        ("mail", "421 too many mails", THROTTLED),
        ("mail", "550 5.7.60 no", UNREACHABLE),
        ("mail", DROP, UNREACHABLE),
        ("rcpt", "450 4.2.0 greylisted", DEFERRED),
        ("end", "554 spam", PERMANENT),
    ],
)
def test_on_a_connection_used_before_the_phase_begins_anew(step, said, outcome):
    fine = {"mail": "250 ok", "rcpt": "250 ok", "end": "250 ok"}[step]
    assert judged({step: [fine, said]}, times=2).outcome is outcome


def test_a_server_that_is_not_there_is_not_reached():
    settings = Settings(smtp_url="smtp://127.0.0.1:9", mail_from="us@example.org")
    channel, transfers = EmailChannel(settings), Transfers(settings)
    verdict = channel.judge(answer_to(channel.prepare(MAIL), transfers))
    transfers.close()
    assert (verdict.outcome, verdict.code) == (UNREACHABLE, "connect_failed")
