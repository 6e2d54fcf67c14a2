"""Every mistake in a body, and the code and pointer it gets."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.body import NewNotification, checked, read_notification
from service.api.storable import LARGE_EXPONENT, has_large_number
from service.api.stored_size import has_exponent
from service.config.settings import Settings
from service.http.problem_kinds import KINDS
from service.http.problems import Problem

SETTINGS = Settings(smtp_url="smtp://127.0.0.1", mail_from="us@example.com")
HOOK = {"channel": "webhook", "recipient": "http://hooks.example:3080/hook", "payload": {"n": 1}}
MAIL = {"channel": "email", "recipient": "me@example.com", "payload": {"subject": "s", "text": "t"}}
LINE = {"channel": "log", "recipient": "me", "payload": None}


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def mail(**payload: Any) -> dict[str, Any]:
    return MAIL | {"payload": {"subject": "s", "text": "t"} | payload}


def nested(levels: int) -> bytes:
    return b'{"channel":"log","recipient":"a","payload":' + b"[" * levels + b"]" * levels + b"}"


def line(payload: bytes) -> bytes:
    return b'{"channel":"log","recipient":"a","payload":' + payload + b"}"


NOT_JSON = {
    "an empty body": (b"", "empty_body"),
    "white space": (b"  \n", "invalid_json"),
    "half an object": (b'{"channel":', "invalid_json"),
    "text after the object": (b'{"channel":"log","recipient":"a","payload":1} x', "invalid_json"),
    "single quotes": (b"{'channel':'log'}", "invalid_json"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "invalid_json"),
    "NaN": (line(b"NaN"), "invalid_json"),
    "Infinity within": (line(b'{"x":-Infinity}'), "invalid_json"),
    "a wrong type before the end is missing": (b'{"channel":1,', "invalid_json"),
    "a line break in a string": (line(b'"a\nb"'), "invalid_json"),
    "a number with a leading zero": (line(b"01"), "invalid_json"),
    "Latin-1 in the payload": (line(b'"\xe4"'), "invalid_encoding"),
    "Latin-1 in the recipient": (
        b'{"channel":"log","recipient":"\xe4","payload":1}', "invalid_encoding"),
    "a surrogate in UTF-8": (line(b'"\xed\xa0\x80"'), "invalid_encoding"),
    "UTF-16": ('{"channel":"log"}'.encode("utf-16"), "invalid_encoding"),
}  # fmt: skip


def refused(body: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        accepted(body)
    return caught.value


def accepted(body: Any) -> NewNotification:
    return read_notification(
        body if isinstance(body, bytes) else json.dumps(body).encode(), SETTINGS
    )


@pytest.mark.parametrize("name", NOT_JSON)
def test_not_json_is_a_400(name: str) -> None:
    body, code = NOT_JSON[name]
    problem = refused(body)
    assert (problem.kind.status, problem.code) == (400, code)


INVALID = {
    "an array": (b"[]", "not_an_object", ""),
    "a string": (b'"hello"', "not_an_object", ""),
    "null": (b"null", "not_an_object", ""),
    "no channel": ({"recipient": "a", "payload": 1}, "missing_field", "/channel"),
    "no recipient": ({"channel": "log", "payload": 1}, "missing_field", "/recipient"),
    "no payload": ({"channel": "log", "recipient": "a"}, "missing_field", "/payload"),
    "an unknown field": (LINE | {"prioritiy": 1}, "unknown_field", "/prioritiy"),
    "an unknown field with a slash": (LINE | {"a/b~c": 1}, "unknown_field", "/a~1b~0c"),
    "a field of ours": (LINE | {"status": "sent"}, "unknown_field", "/status"),
    "an unknown channel": (LINE | {"channel": "pigeon"}, "invalid_channel", "/channel"),
    "a null channel": (LINE | {"channel": None}, "invalid_channel", "/channel"),
    "an empty recipient": (LINE | {"recipient": ""}, "invalid_recipient", "/recipient"),
    "a long recipient": (LINE | {"recipient": "x" * 2049}, "invalid_recipient", "/recipient"),
    "a list of recipients": (LINE | {"recipient": ["a"]}, "invalid_recipient", "/recipient"),
    "a tab in a recipient": (LINE | {"recipient": "a\tb"}, "invalid_recipient", "/recipient"),
    "a relative URL": (HOOK | {"recipient": "/hook"}, "invalid_recipient", "/recipient"),
    "an ftp URL": (HOOK | {"recipient": "ftp://a/"}, "invalid_recipient", "/recipient"),
    "a URL with a space": (HOOK | {"recipient": "http://a/b c"}, "invalid_recipient", "/recipient"),
    "an address of the network itself": (
        HOOK | {"recipient": "http://0xa9fea9fe/"}, "address_not_allowed", "/recipient"),
    "a URL with port 0": (HOOK | {"recipient": "http://a:0/"}, "invalid_recipient", "/recipient"),
    "two addresses": (MAIL | {"recipient": "a@b.com,c@d.com"}, "invalid_recipient", "/recipient"),
    "a display name": (MAIL | {"recipient": "A <a@b.com>"}, "invalid_recipient", "/recipient"),
    "a line break in an address": (
        MAIL | {"recipient": "a@b.com\r\nBcc: c@d.com"}, "invalid_recipient", "/recipient"),
    "a priority of 4": (LINE | {"priority": 4}, "invalid_priority", "/priority"),
    "a priority of -1": (LINE | {"priority": -1}, "invalid_priority", "/priority"),
    "a priority of 1.5": (LINE | {"priority": 1.5}, "invalid_priority", "/priority"),
    "a priority of true": (LINE | {"priority": True}, "invalid_priority", "/priority"),
    "a priority beyond 64 bits": (LINE | {"priority": 10**30}, "invalid_priority", "/priority"),
    "no attempts": (LINE | {"max_attempts": 0}, "invalid_max_attempts", "/max_attempts"),
    "101 attempts": (LINE | {"max_attempts": 101}, "invalid_max_attempts", "/max_attempts"),
    "an empty reference": (LINE | {"reference": ""}, "invalid_reference", "/reference"),
    "a long reference": (LINE | {"reference": "x" * 256}, "invalid_reference", "/reference"),
    "a reference of two lines": (LINE | {"reference": "a\nb"}, "invalid_reference", "/reference"),
    "a time without an offset": (
        LINE | {"send_at": "2030-01-01T00:00:00"}, "invalid_send_at", "/send_at"),
    "a day": (LINE | {"send_at": "2030-01-01"}, "invalid_send_at", "/send_at"),
    "a Unix time": (LINE | {"send_at": 1893456000}, "invalid_send_at", "/send_at"),
    "a leap second": (LINE | {"send_at": "2026-12-31T23:59:60Z"}, "invalid_send_at", "/send_at"),
    "the year 1": (LINE | {"send_at": "0001-01-01T00:00:00+14:00"}, "invalid_send_at", "/send_at"),
    "a send_at in 31 days": (LINE | {"send_at": in_days(31)}, "invalid_send_at", "/send_at"),
    "an expiry in the past": (
        LINE | {"expires_at": in_days(-1)}, "invalid_expires_at", "/expires_at"),
    "an expiry before it is sent": (
        LINE | {"send_at": in_days(2), "expires_at": in_days(1)},
        "invalid_expires_at", "/expires_at"),
    "an expiry at the end of time": (
        LINE | {"expires_at": "9999-12-31T23:59:59-14:00"}, "invalid_expires_at", "/expires_at"),
    "an expiry at infinity": (
        LINE | {"expires_at": "infinity"}, "invalid_expires_at", "/expires_at"),
    "NUL in the payload": (LINE | {"payload": {"a": ["x\0"]}}, "nul_character", "/payload/a/0"),
    "NUL in a name of the payload": (
        LINE | {"payload": {"a\0": 1}}, "nul_character", "/payload/a\0"),
    "NUL in the recipient": (LINE | {"recipient": "a\0"}, "nul_character", "/recipient"),
    "an empty key": (LINE | {"idempotency_key": ""}, "invalid_idempotency_key", "/idempotency_key"),
    "a long key": (
        LINE | {"idempotency_key": "x" * 256}, "invalid_idempotency_key", "/idempotency_key"
    ),
    "a key of two lines": (
        LINE | {"idempotency_key": "a\nb"}, "invalid_idempotency_key", "/idempotency_key"
    ),
    "NUL in the reference": (LINE | {"reference": "a\0"}, "nul_character", "/reference"),
    "half a surrogate pair": (line(b'["\\ud800"]'), "lone_surrogate", "/payload/0"),
    "the wrong half first": (line(b'"\\ude00\\ud83d"'), "lone_surrogate", "/payload"),
    "half a pair in a name": (line(b'{"\\udfff":1}'), "lone_surrogate", "/payload/\ufffd"),
    "a number of 131,072 digits": (line(b'{"x":1e131071}'), "number_out_of_range", "/payload/x"),
    "a number beyond a double": (line(b"[0, 1E400]"), "number_out_of_range", "/payload/1"),
    "a number too close to 0": (line(b"1e-16000"), "number_out_of_range", "/payload"),
    "zero with a large exponent": (line(b"0e-16000"), "number_out_of_range", "/payload"),
    "an exponent that overflows": (
        line(b"1e" + b"9" * 30), "number_out_of_range", "/payload"),
    "an integer of 5000 digits": (line(b"1" * 5000), "number_out_of_range", "/payload"),
    "a fraction of 15,984 digits": (
        line(b"0." + b"1" * 15984), "number_out_of_range", "/payload"),
    "a large number in a member that is replaced": (
        line(rb'{"a":1e131072,"\u0061":1}'), "number_out_of_range", "/payload/a"),
    "NUL in a member that is replaced": (
        line(rb'{"a":"\u0000","a":1}'), "nul_character", "/payload/a"),
    "numbers that are long when written out": (
        line(b"[1e308" + b",1e308" * 39_999 + b"]"), "payload_too_large", "/payload"),
    "a payload that is too long with its blanks": (
        line(b"[1" + b",1" * 99_999 + b"]"), "payload_too_large", "/payload"),
    "NUL at the end of much": (
        line(b"[" + b"1," * 20_000 + rb'"\\\u0000"]'), "nul_character", ""),
    "half a pair at the end of much": (
        line(b"[" + b"1," * 20_000 + rb'"\ud83d\ude00\ude00"]'), "lone_surrogate", ""),
    "a large number at the end of much": (
        line(b"[" + b"1," * 20_000 + b"0E-0401]"), "number_out_of_range", ""),
    "65 levels": (nested(65), "too_deeply_nested", "/payload"),
    "5000 levels": (nested(5000), "too_deeply_nested", "/payload"),
    "a mail that is text": (MAIL | {"payload": "hi"}, "invalid_payload", "/payload"),
    "a mail without a subject": (
        MAIL | {"payload": {"text": "t"}}, "missing_field", "/payload/subject"),
    "a mail without a body": (MAIL | {"payload": {"subject": "s"}}, "invalid_payload", "/payload"),
    "a mail with a cc": (mail(cc="a@b.com"), "unknown_field", "/payload/cc"),
    "a subject that is a number": (mail(subject=1), "invalid_payload", "/payload/subject"),
    "a subject of two lines": (mail(subject="a\r\nBcc: x"), "invalid_payload", "/payload/subject"),
    "a subject of 999 characters": (mail(subject="x" * 999), "invalid_payload", "/payload/subject"),
    "a Bcc header": (mail(headers={"Bcc": "a@b.com"}), "invalid_payload", "/payload/headers/Bcc"),
    "a From header": (mail(headers={"from": "a@b.c"}), "invalid_payload", "/payload/headers/from"),
    "a header name with a colon": (
        mail(headers={"X-A: b\r\nBcc": "c"}), "invalid_payload", "/payload/headers/X-A: b\r\nBcc"),
    "a header of two lines": (
        mail(headers={"X-A": "b\nBcc: c"}), "invalid_payload", "/payload/headers/X-A"),
    "a reply_to that is no address": (
        mail(reply_to="nobody"), "invalid_payload", "/payload/reply_to"),
}  # fmt: skip


@pytest.mark.parametrize("name", INVALID)
def test_what_is_wrong_is_named_with_its_pointer(name: str) -> None:
    body, code, pointer = INVALID[name]
    problem = refused(body)
    assert problem.kind.status == 422
    assert (problem.code, problem.faults[0].pointer) == (code, pointer)
    assert problem.detail == problem.faults[0].detail != ""


def test_every_code_of_a_body_is_in_these_tables() -> None:
    tried = {case[1] for case in [*NOT_JSON.values(), *INVALID.values()]}
    elsewhere = {"unreadable_body", "malformed_request", "channel_not_configured",
                 "dropped_by_database", "refused_by_database", "unknown_parameter",
                 "invalid_parameter", "ids_or_filter", "idempotency_key_reused", "invalid_field",
                 "not_an_array"}  # fmt: skip
    assert tried | elsewhere == {c for c, kind in KINDS.items() if kind.status in (400, 422)}


def test_everything_wrong_is_said_at_once() -> None:
    problem = refused({"channel": "pigeon", "priority": 9, "payload": 1, "extra": 1})
    assert {(fault.code, fault.pointer) for fault in problem.faults} == {
        ("invalid_channel", "/channel"),
        ("invalid_priority", "/priority"),
        ("missing_field", "/recipient"),
        ("unknown_field", "/extra"),
    }


def test_the_list_of_faults_is_bounded() -> None:
    assert len(refused(LINE | {f"field_{n}": n for n in range(1000)}).faults) == 20


def test_email_without_smtp_url_is_refused() -> None:
    with pytest.raises(Problem) as caught:
        read_notification(json.dumps(MAIL).encode(), Settings())
    assert caught.value.code == "channel_not_configured"
    assert caught.value.faults[0].pointer == "/channel"


FINE = {
    "64 levels": nested(64),
    "brackets within strings": LINE | {"payload": '[{"\\"' * 100},
    "every escaped character but NUL": LINE | {"payload": "".join(map(chr, range(1, 256)))},
    "both halves of a pair": line(b'"\\ud83d\\ude00"'),
    "an escaped backslash before u0000": line(b'"\\\\u0000"'),
    "the largest double": line(b"1.7976931348623157e308"),
    "the smallest double": line(b"5e-324"),
    "a fraction of 15,983 digits": line(b"0." + b"1" * 15983),
    "an integer of 4300 digits": line(b"9" * 4300),
    "escaped backslashes before u0000": line(b"[" + b"1," * 20_000 + rb'"\\\\u0000"]'),
    "exponents in much text": line(b"[" + b'"0e-999",' * 5_000 + b"1]"),
    "the smallest that is written out": line(b"1e-400"),
    "an exponent in a text": LINE | {"payload": "9e999999"},
    "a URL with a user": HOOK | {"recipient": "https://user:pass@example.com:8443/a?b#c"},
    "an IPv6 address": HOOK | {"recipient": "http://[2606::1]:3080/"},
    "a private mail server": MAIL | {"recipient": "ops@localhost"},
    "an allowed header": mail(headers={"X-Tag": "a", "list-id": "b", "Auto-Submitted": "c"}),
    "a mail of HTML only": MAIL | {"payload": {"subject": "s", "html": "<p>"}},
    "all limits": LINE | {"priority": 3, "max_attempts": 100, "reference": "x" * 255},
    "the last send_at": LINE | {"send_at": in_days(29.9)},
}


@pytest.mark.parametrize("name", FINE)
def test_this_is_accepted(name: str) -> None:
    assert accepted(FINE[name]).recipient


def test_a_check_returns_what_is_stored_and_changes_nothing() -> None:
    given = MAIL | {"recipient": "Me@BÜCHER.example", "send_at": "2030-01-01T01:00:00+01:00"}
    body = json.dumps(given).encode()
    decoded = msgspec.json.decode(body, type=NewNotification)
    row, faults = checked(body, decoded, SETTINGS, datetime(2029, 12, 20, tzinfo=UTC).timestamp)
    assert faults == []
    assert decoded == msgspec.json.decode(body, type=NewNotification)
    assert row.recipient == "Me@bücher.example"
    assert row.send_at == decoded.send_at
    assert (str(row.send_at), str(decoded.send_at)) == (
        "2030-01-01 00:00:00+00:00", "2030-01-01 01:00:00+01:00")  # fmt: skip


def test_a_payload_keeps_its_bytes() -> None:
    payload = b'{ "b":1.10, "a" : [1e3] }'
    assert bytes(accepted(line(payload)).payload) == payload


@given(st.text("0149eE+-.,x", max_size=16).map(str.encode))
def test_the_quick_look_for_large_numbers_sees_what_the_exact_one_sees(body: bytes) -> None:
    assert has_exponent(body) == bool(re.search(rb"[0-9][eE]", body))
    assert has_large_number(body) == bool(LARGE_EXPONENT.search(body))
