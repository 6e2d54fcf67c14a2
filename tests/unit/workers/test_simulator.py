import pytest

from service.config.settings import Settings
from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers.channels import channels
from workers.channels.channel import Play
from workers.channels.simulator import SLOW_S, Simulated, is_played
from workers.claim import Verdict

MAIL = {"subject": "Hello", "text": "It works."}
SETTINGS = Settings(smtp_url="smtp://127.0.0.1:1", mail_from="us@example.org")
CHANNELS = channels(SETTINGS)
AT_THE_SIMULATOR = [
    "https://simulator.notify/ok",
    "http://simulator.notify",
    "HTTPS://Simulator.NOTIFY/ok",
    "https://simulator.notify./ok",
    "https://simulator.notify:8443/ok",
    "https://simulator.notify:/ok",
    "https://user:secret@simulator.notify/ok",
    "https://evil.example.org@simulator.notify/ok",
    "https://simulator.notify?x=@example.org",
    "https://simulator.notify#@example.org",
    "ok@simulator.notify",
    "ok@SIMULATOR.notify",
    "ok@simulator.notify.",
    "ok@\uff53imulator\u3002notify",
    "@simulator.notify",
]
ELSEWHERE = [
    "https://evil-simulator.notify/ok",
    "https://a.simulator.notify/ok",
    "https://simulator.notify.example.org/ok",
    "https://simulator.notify@example.org/ok",
    "https://simulator.notify:443@example.org/ok",
    "https://example.org/ok@simulator.notify",
    "https://example.org/?to=ok@simulator.notify",
    "https://example.org#ok@simulator.notify",
    "https://example.org\\@simulator.notify/ok",
    "https://simulator-notify/ok",
    "https://127.0.0.1/ok",
    "https:///ok",
    "ok@evil-simulator.notify",
    "ok@a.simulator.notify",
    "ok@simulator.notify.example.org",
    "ok@simulator.notify@example.org",
    "ok@simulator.notify, you@example.org",
    "simulator.notify",
    "",
]


def played(**fields):
    claim = a_claim(**fields)
    return Simulated(CHANNELS[claim.channel]).prepare(claim)


@pytest.mark.parametrize("recipient", AT_THE_SIMULATOR)
def test_recipients_at_the_simulator_are_played_in_any_spelling(recipient):
    assert is_played(a_claim(recipient=recipient))


@pytest.mark.parametrize("recipient", ELSEWHERE)
def test_recipients_elsewhere_are_played_for_tests_only(recipient):
    assert not is_played(a_claim(recipient=recipient))
    assert is_played(a_claim(recipient=recipient, is_test=True))


@pytest.mark.parametrize(
    ("word", "outcome", "webhook", "email", "takes_s"),
    [
        ("ok", Outcome.SENT, "200", "250", 0.0),
        ("OK", Outcome.SENT, "200", "250", 0.0),
        ("temp-fail", Outcome.TEMPORARY, "503", "451", 0.0),
        ("perm-fail", Outcome.PERMANENT, "410", "550", 0.0),
        ("Perm-Fail", Outcome.PERMANENT, "410", "550", 0.0),
        ("slow", Outcome.SENT, "200", "250", SLOW_S),
        ("anything", Outcome.SENT, "200", "250", 0.0),
    ],
)
def test_each_word_plays_its_outcome(word, outcome, webhook, email, takes_s):
    ends = Verdict(outcome=outcome, code=webhook, excerpt="simulated")
    for tail in ("", "/", "/more", "?x=/slow", "#slow"):
        made = played(recipient=f"https://simulator.notify/{word}{tail}")
        assert made == Play(ends, takes_s)
    mailed = Verdict(outcome=outcome, code=email, excerpt="simulated")
    for tail in ("", "+slow"):
        to = f"{word}{tail}@simulator.notify"
        assert played(channel="email", recipient=to, payload=MAIL) == Play(mailed, takes_s)
    line = Verdict(outcome=outcome, excerpt="simulated")
    to = f"{word}@simulator.notify"
    assert played(channel="log", recipient=to) == Play(line, takes_s)


def test_a_tests_other_recipients_are_sent():
    claim = {"recipient": "https://example.org/perm-fail", "is_test": True}
    assert played(**claim) == Play(
        Verdict(outcome=Outcome.SENT, code="200", excerpt="simulated"), 0
    )


@pytest.mark.parametrize(
    ("claim", "code"),
    [
        ({"recipient": "ok@simulator.notify"}, "bad_url"),
        ({"recipient": "https://[ok@simulator.notify/"}, "bad_url"),
        ({"channel": "email", "recipient": "https://simulator.notify/ok"}, "invalid_recipient"),
        ({"channel": "email", "recipient": "a b@simulator.notify"}, "invalid_recipient"),
        ({"channel": "email", "recipient": "ok@simulator.notify"}, "invalid_payload"),
        ({"channel": "email", "recipient": "ok@simulator.notify.", "payload": MAIL},
         "invalid_recipient"),
    ],
)  # fmt: skip
def test_what_could_not_be_sent_fails_as_it_would(claim, code):
    assert is_played(a_claim(**claim))
    verdict = played(**claim)
    assert (verdict.outcome, verdict.code) == (Outcome.PERMANENT, code)
    assert verdict == CHANNELS[claim.get("channel", "webhook")].prepare(a_claim(**claim))


def test_a_channel_that_is_not_configured_is_not_played():
    claim = a_claim(channel="email", recipient="ok@simulator.notify", payload=MAIL)
    assert Simulated(channels(Settings())["email"]).prepare(claim).code == "not_configured"


def test_slow_ones_take_no_other_destinations_share():
    names = {
        Simulated(CHANNELS["webhook"]).destination(a_claim(recipient=f"https://{rest}"))
        for rest in ("simulator.notify/ok", "simulator.notify/slow", "simulator.notify:81/slow")
    }
    assert names == {"simulator.notify/ok", "simulator.notify/slow"}
