import email
import email.policy

import pycurl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config.settings import Settings
from service.model.words import Outcome
from tests.unit.workers.claims import ID, a_claim
from workers.channels.channel import Answer, Mail, Phase
from workers.channels.email import EmailChannel
from workers.claim import Verdict

channel = EmailChannel(
    Settings(smtp_url="smtp://mail.example.org", mail_from="Notify <us@example.org>")
)
PAYLOAD = {"subject": "Hello", "text": "Hi"}


def prepared(payload=None, recipient="a@example.org"):
    return channel.prepare(a_claim(payload or PAYLOAD, channel="email", recipient=recipient))


def parsed(mail):
    return email.message_from_bytes(mail.body, policy=email.policy.default)


def judged(**answer):
    verdict = channel.judge(Answer(**answer))
    return verdict.outcome, verdict.code


def test_the_message_says_from_whom_to_whom_and_which():
    mail = prepared()
    message = parsed(mail)
    assert (mail.mail_from, mail.mail_to) == ("us@example.org", "a@example.org")
    assert (message["From"], message["To"]) == ("Notify <us@example.org>", "a@example.org")
    assert message["Subject"] == "Hello"
    assert message["Message-ID"] == f"<{ID}@example.org>"
    assert message["Date"].datetime.tzinfo is not None
    assert message.get_content() == "Hi\r\n"


def test_text_and_html_are_alternatives_with_the_richer_last():
    message = parsed(prepared({"subject": "s", "text": "t", "html": "<b>h</b>"}))
    assert message.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]


def test_html_may_come_alone():
    assert parsed(prepared({"subject": "s", "html": "<b>h</b>"})).get_content_type() == "text/html"


def test_reply_to_and_allowed_headers_are_set():
    extra = {"X-Campaign": "7", "List-Unsubscribe": "<https://example.org/u>"}
    message = parsed(prepared(PAYLOAD | {"reply_to": "r@example.org", "headers": extra}))
    assert message["Reply-To"] == "r@example.org"
    assert message["X-Campaign"] == "7"
    assert message["List-Unsubscribe"] == "<https://example.org/u>"


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "a\r\nBcc: b@example.org"},
        {"reply_to": "a@example.org\r\nBcc: b@example.org"},
        {"headers": {"X-A": "b\r\nBcc: b@example.org"}},
        {"headers": {"Bcc": "b@example.org"}},
        {"headers": {"X-A: b\r\nBcc": "b@example.org"}},
    ],
)
def test_a_header_cannot_be_smuggled_in(change):
    verdict = prepared(PAYLOAD | change)
    assert isinstance(verdict, Verdict)
    assert (verdict.outcome, verdict.code) == (Outcome.PERMANENT, "invalid_header")


@pytest.mark.parametrize("payload", [{"subject": 1, "text": "t"}, ["s"], {"text": "t"}])
def test_a_payload_of_another_shape_is_permanent(payload):
    verdict = prepared(payload)
    assert (verdict.outcome, verdict.code) == (Outcome.PERMANENT, "invalid_payload")


@given(
    st.fixed_dictionaries(
        {"subject": st.text(max_size=80), "text": st.text(max_size=400)},
        optional={
            "headers": st.dictionaries(
                st.text(max_size=10) | st.just("X-A"), st.text(max_size=20), max_size=3
            )
        },
    )
)
def test_any_payload_becomes_a_safe_mail_or_a_verdict(payload):
    made = prepared(payload)
    if isinstance(made, Verdict):
        assert made.outcome is Outcome.PERMANENT
        return
    assert isinstance(made, Mail)
    made.body.decode("ascii")
    assert b"\n" not in made.body.replace(b"\r\n", b"")
    assert b"\r" not in made.body.replace(b"\r\n", b"")
    assert max(len(line) for line in made.body.split(b"\r\n")) <= 998
    allowed = {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
        *payload.get("headers", {}),
    }
    assert set(parsed(made).keys()) <= allowed


def test_a_name_beyond_ascii_is_written_as_utf8_and_its_domain_for_dns():
    mail = prepared(recipient="jörg@bücher.example")
    assert mail.mail_to == "jörg@xn--bcher-kva.example"
    assert "To: jörg@xn--bcher-kva.example".encode() in mail.body


def test_without_a_server_it_waits_for_the_operator():
    claim = a_claim(PAYLOAD, channel="email", recipient="a@example.org")
    verdict = EmailChannel(Settings()).prepare(claim)
    assert (verdict.outcome, verdict.code) == (Outcome.TEMPORARY, "not_configured")


def test_a_taken_mail_keeps_the_reply():
    verdict = channel.judge(Answer(status=250, body=b"250 2.0.0 queued as 42\r\n"))
    assert (verdict.outcome, verdict.code) == (Outcome.SENT, "250")
    assert verdict.excerpt == "250 2.0.0 queued as 42"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (421, "throttled"),
        (450, "deferred"),
        (550, "permanent"),
        (552, "permanent"),
        (530, "unreachable"),
        (534, "unreachable"),
        (535, "unreachable"),
        (538, "unreachable"),
    ],
)
@pytest.mark.parametrize("phase", [Phase.RCPT, Phase.DATA])
def test_a_refusal_of_this_mail_decides_by_its_reply(status, outcome, phase):
    verdict = judged(error=pycurl.E_SEND_ERROR, status=status, phase=phase)
    assert verdict == (outcome, str(status))


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase < Phase.RCPT])
@pytest.mark.parametrize("status", [450, 503, 530, 535, 550, 554])
def test_a_refusal_before_the_recipient_is_not_the_mails_fault(status, phase):
    outcome, _ = judged(error=pycurl.E_SEND_ERROR, status=status, phase=phase)
    assert outcome is Outcome.UNREACHABLE


def test_a_refusal_after_the_message_decides_too():
    error = pycurl.E_FTP_WEIRD_SERVER_REPLY
    given = {"error": error, "phase": Phase.DATA, "handed_over": True}
    assert judged(status=554, **given) == (Outcome.PERMANENT, "554")
    assert judged(status=452, **given) == (Outcome.DEFERRED, "452")
    assert judged(status=251, **given) == (Outcome.SENT, "251")


def test_a_server_that_turns_us_away_is_not_the_mails_fault():
    error = pycurl.E_FTP_WEIRD_SERVER_REPLY
    assert judged(error=error, status=554) == (Outcome.UNREACHABLE, "no_service")
    assert judged(error=error, status=421) == (Outcome.THROTTLED, "421")


@pytest.mark.parametrize(
    ("phase", "handed_over", "outcome"),
    [
        (Phase.GREETING, False, Outcome.UNREACHABLE),
        (Phase.MAIL, False, Outcome.UNREACHABLE),
        (Phase.RCPT, False, Outcome.TEMPORARY),
        (Phase.DATA, False, Outcome.TEMPORARY),
        (Phase.DATA, True, Outcome.UNKNOWN),
    ],
)
@pytest.mark.parametrize("error", [pycurl.E_OPERATION_TIMEDOUT, pycurl.E_RECV_ERROR])
def test_silence_is_judged_by_how_far_the_mail_had_come(phase, handed_over, outcome, error):
    status = 354 if handed_over else 250
    found, _ = judged(error=error, status=status, phase=phase, handed_over=handed_over)
    assert found is outcome


def test_what_libcurl_refuses_may_be_about_this_mail():
    assert judged(error=43, phase=Phase.HELLO) == (Outcome.TEMPORARY, "curl_43")


@pytest.mark.parametrize("error", set(range(1, 102)) - {pycurl.E_URL_MALFORMAT, 43})
def test_no_other_error_is_about_the_mail_before_its_recipient_is_named(error):
    for phase in (Phase.GREETING, Phase.HELLO, Phase.STARTTLS, Phase.LOGIN, Phase.MAIL):
        assert judged(error=error, phase=phase)[0] is Outcome.UNREACHABLE


@pytest.mark.parametrize(
    ("reply", "excerpt"),
    [
        (b"550-5.1.1 Nobody there.\r\n550 5.1.1  https://x.example\r\n",
         "550 5.1.1 Nobody there. https://x.example"),
        (b"550-Verification failed\r\n550-No such domain\r\n550 Sender verify failed\r\n",
         "550 Verification failed No such domain Sender verify failed"),
        (b"550-Mailbox closed\r\n550 \r\n", "550 Mailbox closed"),
        (b"550-5.1.1 Nobody\r\n550 5.1.1\r\n", "550 5.1.1 Nobody"),
        (b"550-5.1.1 Nobody\r\n550 5.1.10 MX\r\n", "550 5.1.1 Nobody 5.1.10 MX"),
        (b"550-\r\n550 5.7.1 No\r\n", "550 5.7.1 No"),
        (b"550-One\n550-550 two\n55", "550 One 550 two"),
        (b"550-\xff\r\n550 \0 two\r\n", "550 \ufffd   two"),
        (b"550 5.1.1 no-one\r\n", "550 5.1.1 no-one"),
        (b"550\r\n", "550"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT])
def test_all_lines_of_a_reply_are_told_as_one(reply, excerpt, phase):
    answer = Answer(error=pycurl.E_SEND_ERROR, status=550, body=reply, phase=phase)
    assert channel.judge(answer).excerpt == excerpt


@pytest.mark.parametrize("place", [0, 1])
def test_any_line_may_say_that_a_mail_is_too_large(place):
    lines = [b"550-5.0.0 sorry", b"550 5.0.0 sorry"]
    lines[place] = lines[place].replace(b"5.0.0", b"5.3.4")
    answer = Answer(error=55, status=550, body=b"\r\n".join(lines), phase=Phase.MAIL)
    assert channel.judge(answer).outcome is Outcome.PERMANENT
