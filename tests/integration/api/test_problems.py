"""Every mistake a client can make, and the code and pointer it gets."""

import pytest

from service.http.problem_kinds import KINDS
from tests.integration.api.serving import HOOK, LINE, Api
from tests.unit.api.test_body import INVALID, NOT_JSON


def test_a_problem_is_a_document_of_rfc_9457(api: Api) -> None:
    answer = api.post(LINE | {"priority": 9})
    assert answer.status == answer.json["status"] == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "/docs#invalid_priority",
        "title": KINDS["invalid_priority"].title,
        "status": 422,
        "code": "invalid_priority",
        "detail": answer.json["errors"][0]["detail"],
        "errors": [{"code": "invalid_priority", "detail": answer.json["detail"],
                    "pointer": "/priority"}],
    }  # fmt: skip


def test_no_bad_body_ends_in_a_traceback(api: Api, tracebacks: list[str]) -> None:
    for name, (body, code, *_) in {**NOT_JSON, **INVALID}.items():
        assert (name, api.post(body).json["code"]) == (name, code)
    assert not tracebacks


@pytest.mark.parametrize("body", [b'{"channel":"log"}', b"[1]", b'{"channel":', b"x"])
def test_a_byte_order_mark_is_called_by_its_name(body: bytes, api: Api) -> None:
    marked = b"\xef\xbb\xbf" + body
    one, batch = api.post(marked), api.post(marked, to="/notify/batch")
    [line] = api.post(marked, "application/x-ndjson", to="/notify/batch").json["items"]
    for problem in (one.json, batch.json, line["problem"]):
        assert problem["code"] == "invalid_json"
        assert "byte order mark" in problem["detail"]


def test_a_payload_that_grows_beyond_256_kib_in_the_database(api: Api) -> None:
    body = b'{"channel":"log","recipient":"me","payload":[' + b"1," * 99_999 + b"1]}"
    answer = api.post(body)
    assert (answer.status, answer.json["code"]) == (422, "payload_too_large")
    assert answer.json["errors"][0]["pointer"] == "/payload"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16",
     "multipart/form-data; boundary=x", "text/json", "application/jsonp", "nonsense"],
)  # fmt: skip
def test_anything_but_json_is_a_415(content_type: str, api: Api) -> None:
    answer = api.post(HOOK, content_type)
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


def test_a_body_over_the_limit_is_a_413_before_it_is_read(api: Api) -> None:
    answer = api.ask("POST", "/notify", b"{", **{
        "Content-Type": "application/json", "Content-Length": "262145"})  # fmt: skip
    assert (answer.status, answer.json["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("path", ["/nothing", "/notify/", "/notifications/a/b", "//", "/docs/x"])
def test_an_unknown_path_is_a_404(path: str, api: Api) -> None:
    answer = api.get(path)
    assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/notify", "OPTIONS, POST"),
        ("PUT", "/notify", "OPTIONS, POST"),
        ("POST", "/notifications", "GET, HEAD, OPTIONS"),
        ("DELETE", "/notifications/01a202f8-7610-7e1c-908b-be00881bc450", "GET, HEAD, OPTIONS"),
        ("PATCH", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_a_405_with_allow(method: str, path: str, allowed: str, api: Api) -> None:
    answer = api.ask(method, path)
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


def test_options_says_what_is_allowed(api: Api) -> None:
    answer = api.ask("OPTIONS", "/notify")
    assert (answer.status, answer.headers["Allow"], answer.body) == (204, "OPTIONS, POST", b"")


def test_head_answers_as_get_without_a_body(api: Api) -> None:
    answer = api.ask("HEAD", "/healthz")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0
