"""What a server features, and when that is known."""

import pytest

from workers.smtp_features import SmtpFeatures

GREETING = "220 mail.example.org ESMTP"
EHLO = ["250-mail.example.org", "250-SIZE 1000", "250 HELP"]
EHLO_UTF8 = ["250-mail.example.org", "250-SMTPUTF8", "250 HELP"]
TAKEN = "250 2.1.0 fine"


def heard(features, *lines):
    """Say whether the last line made it known, and what."""
    known = [features.hear(f"{line}\r\n".encode()) for line in lines]
    assert not any(known[:-1])
    return known[-1], features.utf8


def test_it_is_known_at_the_end_of_the_reply_to_ehlo():
    assert heard(SmtpFeatures(), GREETING, *EHLO_UTF8) == (True, True)
    assert heard(SmtpFeatures(), GREETING, *EHLO) == (True, False)
    assert heard(SmtpFeatures(), GREETING, "250-a", "250 smtputf8") == (True, True)
    assert heard(SmtpFeatures(), GREETING, "250-a", "250 SMTPUTF8X") == (True, False)


def test_before_tls_nothing_is_known():
    features = SmtpFeatures()
    assert heard(features, GREETING, "250-a", "250 STARTTLS") == (False, False)
    assert heard(features, "220 go ahead", *EHLO_UTF8) == (True, True)


def test_where_tls_is_refused_the_reply_to_mail_tells():
    features = SmtpFeatures()
    heard(features, GREETING, "250-a", "250 STARTTLS")
    assert heard(features, "454 no TLS today", TAKEN) == (True, False)


@pytest.mark.parametrize("reply", ["334 VXNlcg==", "235 welcome", "535 who are you", "421 bye"])
def test_a_login_or_a_farewell_tells_nothing(reply):
    features = SmtpFeatures()
    assert heard(features, GREETING, "501 what", "250 helo then") == (True, False)
    assert heard(features, reply) == (False, False)


def test_a_connection_that_is_used_again_is_remembered():
    features = SmtpFeatures()
    heard(features, GREETING, *EHLO)
    assert heard(features, "555 no such parameter") == (True, False)
    assert heard(features, GREETING, *EHLO_UTF8) == (True, True)
