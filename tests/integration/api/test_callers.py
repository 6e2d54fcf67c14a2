"""Web pages of others: neither a name that points here nor a request across sites is served."""

import base64
import hashlib
import re

import pytest
from multidict import CIMultiDict

from service.http.callers import Callers
from tests.integration.api.serving import LINE, Api, serving
from tests.integration.api.test_serving import talk

CANCEL = "/notifications/01a202f8-7610-7e1c-908b-be00881bc450/cancel"
OURS = [
    "localhost", "LOCALHOST:3000", "localhost.", "127.0.0.1", "127.0.0.1:3000", "127.8.7.6:1",
    "[::1]", "[::1]:3000",
]  # fmt: skip
FOREIGN = [
    "evil.example", "evil.example:3000", "localhost.evil.example", "127.0.0.1.evil.example",
    "0.0.0.0:3000", "10.0.0.1", "[::]:3000", "[2001:db8::1]", "evil", "localhost@evil.example",
    "localhost:3000:1", "", " ", "localhost/", "127.1", "0x7f.0.0.1", "[::1", "localhost, evil",
]  # fmt: skip
EVERY_PATH = ["/notifications", "/docs", "/metrics", "/healthz", "/openapi.json", "/", "/nowhere"]


def asked(api: Api, method: str, path: str, *headers: str) -> tuple[int, bytes]:
    """Make one request with exactly these headers; gives the status and the rest."""
    lines = "".join(f"{header}\r\n" for header in headers)
    answer = talk(
        api.port, f"{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode()
    )
    return int(answer[9:12]), answer


@pytest.mark.parametrize("host", OURS)
def test_on_loopback_its_own_names_are_served(host: str, api: Api) -> None:
    assert asked(api, "GET", "/healthz", f"Host: {host}")[0] == 200


@pytest.mark.parametrize("host", FOREIGN)
def test_on_loopback_no_other_name_is_served(host: str, api: Api) -> None:
    status, answer = asked(api, "GET", "/healthz", f"Host: {host}")
    assert status in (400, 421)
    assert b"alive" not in answer


@pytest.mark.parametrize("path", EVERY_PATH)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
def test_a_foreign_host_reaches_no_path(method: str, path: str, api: Api) -> None:
    assert asked(api, method, path, "Host: evil.example")[0] == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_who_names_no_host_is_a_program(host: str, dsn: str) -> None:
    with serving(dsn, host=host) as api:
        assert b" 200 OK" in talk(api.port, b"GET /healthz HTTP/1.0\r\n\r\n")
        page = b"POST /redrive HTTP/1.0\r\nOrigin: https://evil.example\r\n\r\n"
        assert b" 403 " in talk(api.port, page)


def test_a_target_with_a_host_of_its_own_counts_as_that_host(api: Api) -> None:
    target = "http://evil.example/healthz"
    assert asked(api, "GET", target, "Host: localhost")[0] == 421


def test_the_refusal_is_a_problem_and_is_counted(api: Api) -> None:
    answer = api.ask("GET", "/notifications", Host="evil.example")
    assert (answer.status, answer.json["code"]) == (421, "foreign_host")
    assert api.metric("api_requests_refused_total", code="foreign_host") == 1


def test_names_that_are_allowed_are_served_and_so_is_loopback(dsn: str) -> None:
    with serving(dsn, allowed_hosts=("api.example", "[2001:db8::1]")) as api:
        for host in ("api.example", "API.example:443", "localhost:3000", "[2001:db8::1]:80"):
            assert api.ask("GET", "/healthz", Host=host).status == 200
        assert api.ask("GET", "/healthz", Host="evil.example").status == 421
        assert api.ask("POST", "/notify", b"{}", Origin="https://api.example").status == 415
        assert api.ask("POST", "/notify", b"{}", Origin="https://evil.example").status == 403


@pytest.mark.parametrize(
    ("host", "allowed", "served"),
    [("0.0.0.0", (), True), ("10.0.0.1", (), True), ("::", (), True), ("0.0.0.0", ("api",), False),
     ("127.0.0.1", (), False), ("127.0.0.53", (), False), ("::1", (), False),
     ("localhost", (), False)],
)  # fmt: skip
def test_elsewhere_any_name_is_served_unless_some_are_given(
    host: str, allowed: tuple[str, ...], served: bool
) -> None:
    assert Callers(host, allowed).serves("notify.internal:3000") is served
    assert Callers(host, allowed).serves("localhost:3000")


@pytest.mark.parametrize("address", ["172.18.0.7:9100", "[fd00::7]:9100", "10.0.0.1"])
def test_on_a_network_an_address_is_served_whatever_names_are_allowed(address: str) -> None:
    """Prometheus scrapes each container by its address, and no page can have one for its name."""
    assert Callers("0.0.0.0", ("api.example",)).serves(address)
    assert not Callers("0.0.0.0", ("api.example",)).serves(f"{address}.evil.example")
    assert not Callers("127.0.0.1", ("api.example",)).serves(address)


ACROSS = [
    ("Origin: https://evil.example",),
    ("Origin: http://localhost:8080",),
    ("Origin: http://127.0.0.1:3000",),
    ("Origin: null",),
    ("Origin: ",),
    ("Sec-Fetch-Site: cross-site",),
    ("Sec-Fetch-Site: same-site",),
    ("Origin: http://localhost:3000", "Sec-Fetch-Site: cross-site"),
    ("Origin: http://localhost:3000", "Origin: https://evil.example"),
    ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"),
]


@pytest.mark.parametrize(
    "path", ["/notify", "/cancel", "/redrive", CANCEL, "/destinations/probe", "/nowhere"]
)
@pytest.mark.parametrize("headers", ACROSS)
def test_a_page_of_another_origin_moves_nothing(
    path: str, headers: tuple[str, ...], api: Api
) -> None:
    assert asked(api, "POST", path, "Host: localhost:3000", *headers)[0] == 403


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:443", "https://localhost", 415), ("localhost", "https://localhost:443", 415),
        ("LOCALHOST:80", "http://localhost", 415), ("[::1]:443", "https://[::1]", 415),
        ("localhost:80", "https://localhost", 403), ("localhost:443", "http://localhost", 403),
        ("localhost:3000", "https://localhost", 403), ("localhost:443", "localhost", 403),
        ("localhost:443", "https://localhost:80", 403), ("localhost", "https://localhost:90", 403),
        ("localhost:443", "https://ocalhost", 403), ("localhost:443", "https://evil.example", 403),
    ],
)  # fmt: skip
def test_the_port_of_a_scheme_may_stand_in_a_host_or_not(
    host: str, origin: str, status: int, api: Api
) -> None:
    """nginx adds it with `Host $host:$server_port`, and no browser writes it in an Origin."""
    page = (f"Host: {host}", f"Origin: {origin}", "Sec-Fetch-Site: same-origin")
    assert asked(api, "POST", "/notify", *page, "Content-Length: 0")[0] == status


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "post", "QUERY"])
def test_no_method_that_may_move_something_is_open_to_pages(method: str, api: Api) -> None:
    status, _ = asked(api, method, "/notify", "Host: localhost", "Origin: https://evil.example")
    assert status in (400, 403)


def test_a_notification_is_not_called_off_across_sites(api: Api) -> None:
    path = api.post(LINE).json["links"]["self"]
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert api.ask("POST", f"{path}/cancel", **headers).json["code"] == "cross_site_request"
    assert api.get(path).json["status"] == "queued"


def test_our_own_page_and_programs_may(api: Api) -> None:
    host = f"localhost:{api.port}"
    own = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own, {"Sec-Fetch-Site": "none"}):
        path = api.post(LINE).json["links"]["self"]
        assert api.ask("POST", f"{path}/cancel", **headers).status == 200


def test_a_link_from_another_site_may_be_followed(api: Api) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert api.ask("GET", "/docs", **headers).status == 200


@pytest.mark.parametrize("path", EVERY_PATH)
def test_every_page_tells_browsers_to_keep_out(path: str, api: Api) -> None:
    headers = api.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers


NOT_KEPT = ["/notifications?limit=1", "/notifications?no=1", "/readyz", "/console/static/none.js"]


@pytest.mark.parametrize("path", EVERY_PATH + NOT_KEPT)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_cache_in_front_keeps_an_answer(method: str, path: str, api: Api) -> None:
    """A cache that does not look at Authorization would give one key's answer to another."""
    rule = "no-cache" if path == "/docs" else "no-store"  # /docs is the same for everybody
    assert api.ask(method, path).headers.get_all("Cache-Control") == [rule]


def test_no_cache_in_front_keeps_what_refuses_a_caller(api: Api) -> None:
    refused = api.ask("GET", "/notifications", Host="evil.example")
    no_key = api.get("/notifications", Authorization="Bearer nk_0_0")
    for answer in (refused, no_key, api.post(b"x")):
        assert answer.headers.get_all("Cache-Control") == ["no-store"]
    assert b"Cache-Control: no-store\r\n" in talk(api.port, b"no HTTP at all\r\n\r\n")


def test_no_answer_is_sniffed(api: Api) -> None:
    answers = [api.post(LINE), api.post(b"x"), api.ask("POST", "/notify", b"x" * 300_000)]
    assert {a.headers["X-Content-Type-Options"] for a in answers} == {"nosniff"}


def test_the_docs_may_run_what_they_hold_and_nothing_else(api: Api) -> None:
    answer = api.get("/docs")
    policy = answer.headers["Content-Security-Policy"]
    for tag in (b"script", b"style"):
        [part] = re.findall(rb"<%s>(.*?)</%s>" % (tag, tag), answer.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
        assert f"{tag.decode()}-src 'sha256-{digest}'" in policy
    assert not re.search(rb"\s(on\w+|style)=|<script .|<link [^>]*stylesheet", answer.body)


def test_a_page_without_an_origin_is_foreign_also_where_there_is_no_host() -> None:
    headers = CIMultiDict({"Origin": "null"})
    assert Callers("0.0.0.0", ()).fault_of("POST", "", headers) == "cross_site_request"
