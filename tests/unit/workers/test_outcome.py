import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.model.words import Outcome
from tests.unit.workers.claims import a_claim
from workers.claim import Ended, Unstarted
from workers.outcome import EXCERPT_CHARS, excerpt, unsent_result


def test_a_fresh_claim_may_be_sent():
    assert unsent_result(a_claim(lease_ends=130.0), now=100.0, deadline_s=10.0) is None


@pytest.mark.parametrize("expires_at", [99.0, 100.0])
def test_what_has_expired_is_settled_and_not_sent(expires_at):
    over = unsent_result(
        a_claim(expires_at=expires_at, lease_ends=130.0), now=100.0, deadline_s=10.0
    )
    assert isinstance(over, Ended)
    assert over.verdict.outcome is Outcome.EXPIRED


def test_a_lease_shorter_than_the_deadline_is_released_and_not_sent():
    over = unsent_result(a_claim(lease_ends=109.9), now=100.0, deadline_s=10.0)
    assert isinstance(over, Unstarted)


@pytest.mark.parametrize(
    "fields", [{"lease_ends": 130.0}, {"lease_ends": 1e6, "expires_at": 130.0}]
)
def test_a_lease_and_expiry_go_on_while_the_machine_sleeps(fields):
    def result(slept_s):
        return unsent_result(a_claim(**fields), now=100.0, deadline_s=10.0, slept_s=slept_s)

    assert result(10.0) is None
    over = result(60.0)
    assert isinstance(over, Ended if "expires_at" in fields else Unstarted)
    if isinstance(over, Ended):
        assert over.started_at == 100.0, "monotonic, as all that has ended"


@given(st.binary(max_size=2000) | st.text(max_size=2000))
def test_an_excerpt_is_clean_text(answer):
    text = excerpt(answer)
    if text is not None:
        assert 0 < len(text) <= EXCERPT_CHARS
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
        text.encode()


def test_an_excerpt_keeps_what_can_be_read():
    assert excerpt(b"two\r\nlines\x00 and \xff more") == "two lines  and \ufffd more"
    assert excerpt(b"\r\n\r\n") is None
