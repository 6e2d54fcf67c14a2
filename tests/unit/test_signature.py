import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from service.signature import hmac_sha256, key, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def headers(secrets: list[str], body: bytes) -> dict[str, str]:
    now = int(datetime.now(UTC).timestamp())
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(now),
        "webhook-signature": signature([key(s) for s in secrets], "msg_1", now, body),
    }


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_reference_implementation_verifies_what_we_sign(text):
    body = text.encode()
    Webhook(SECRET).verify(body, headers([SECRET], body), json_parse=False)


@given(st.binary(max_size=200), st.binary(max_size=5000))
def test_it_is_the_hmac_of_the_standard_library(secret, content):
    assert hmac_sha256(secret, content) == hmac.digest(secret, content, hashlib.sha256)


def test_during_rotation_either_secret_verifies():
    other = "whsec_" + base64.b64encode(b"b" * 32).decode()
    signed = headers([other, SECRET], b"{}")
    Webhook(SECRET).verify(b"{}", signed, json_parse=False)
    Webhook(other).verify(b"{}", signed, json_parse=False)
    assert len(signed["webhook-signature"].split()) == 2


def test_the_first_secret_signs_first():
    signed = headers([SECRET, "other secret"], b"{}")["webhook-signature"]
    assert signed.split()[0] == headers([SECRET], b"{}")["webhook-signature"]


def test_a_secret_without_prefix_means_the_same_to_the_reference_implementation():
    bare = SECRET.removeprefix("whsec_")
    assert key(bare) == key(SECRET)
    Webhook(bare).verify(b"{}", headers([bare], b"{}"), json_parse=False)


def test_a_secret_that_is_no_base64_stands_for_its_bytes():
    assert key("not/base64!") == b"not/base64!"


def test_a_prefixed_secret_that_is_no_base64_is_refused_without_showing_it():
    with pytest.raises(ValueError) as refused:
        key("whsec_???")
    assert "???" not in str(refused.value)
