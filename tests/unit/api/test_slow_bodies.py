"""The slowest bodies that may come: what is done with each is bounded."""

import gc

import msgspec
import pytest

from service.api import decoding, storable, stored_size
from service.api.body import read_notification
from service.config.settings import Settings
from service.http.problems import Problem
from service.limits import BODY_BYTES_MAX

SIZE = BODY_BYTES_MAX - 200


def line(payload: str) -> bytes:
    return b'{"channel":"log","recipient":"r","payload":' + payload.encode() + b"}"


def filled(item: str) -> str:
    return ",".join([item] * (SIZE // (len(item) + 1)))


def code_of(body: bytes) -> str:
    with pytest.raises(Problem) as caught:
        read_notification(body, Settings())
    return caught.value.code


@pytest.mark.parametrize("number", ["1e0", "1e-1", "1.50e2", "-0.5e1", "0.00e-3"])
def test_a_number_is_written_out_once_however_often_it_is_there(number, monkeypatch):
    written: list[str] = []
    monkeypatch.setattr(
        stored_size, "written_out", lambda text: written.append(text) or str(float(text))
    )
    stored_size.stored_bytes(f"[{filled(number)}]".encode())
    assert written == [number]


@pytest.mark.parametrize("start", ["[", '{"a":', '{"', '"', "[[", "[1e0,", '["'])
@pytest.mark.parametrize("item", ["1e0", "{}", '"x"', '{"a":[]}'])
def test_what_is_large_and_no_json_is_not_walked(start, item, monkeypatch):
    def walk(body):
        assert len(body) <= storable.WALKED_BYTES_MAX
        return []

    monkeypatch.setattr(decoding, "walk", walk)
    monkeypatch.setattr(storable, "walk", walk)
    assert code_of(line(start + filled(item) + "\x01")) == "invalid_json"


def test_half_a_pair_in_what_is_large_is_named(monkeypatch):
    assert code_of(line(f'[{filled("1")},"\\ud800"]')) == "lone_surrogate"


@pytest.mark.parametrize("digits", [4, 18, 19, 20, 100, 200_000])
@pytest.mark.parametrize("sign", ["", "+", "-"])
@pytest.mark.parametrize("mantissa", ["1", "-1.5", "0", "0.0"])
def test_an_exponent_of_any_length_is_out_of_range(mantissa, sign, digits):
    payload = f'[{mantissa}e{sign}{"9" * digits},"{"x" * 6000}"]'
    assert code_of(line(payload)) == "number_out_of_range"


@pytest.mark.parametrize(
    "payload", [f"[{filled('[]')}]", f'["\\u0000{"x" * 20_000}"]', f'[1e400,"{"x" * 20_000}"]']
)
def test_the_collector_rests_while_a_payload_is_read_and_no_longer(payload, monkeypatch):
    seen: list[bool] = []
    inner = storable.bad_character
    monkeypatch.setattr(
        storable, "bad_character", lambda body: seen.append(gc.isenabled()) or inner(body)
    )
    storable.unstorable(line(payload), msgspec.Raw(payload.encode()))
    assert gc.isenabled()
    assert not any(seen)
