"""GET /arrivals of the inbox, as an end-to-end test in any language asks it."""

import asyncio
import io
import json
import re
import smtplib
from collections.abc import Callable, Coroutine
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from service.errors import DatabaseAway
from service.inbox import arrivals, asked
from service.inbox.inbox import Inbox
from service.model.notification import Known
from tests.waiting import LIMIT_S

OPS = Path(__file__).resolve().parents[2] / "ops"
ID = "01a202fe-4dde-77b7-a3d8-a0b97bfc4b6{}"


class Case:
    """A running inbox, and what its ledger knows."""

    def __init__(self) -> None:
        self.known: dict[str, Known] = {}
        self.asked: list[list[str]] = []
        self.is_away = False
        self.out = io.StringIO()
        self.inbox = Inbox(http_port=0, smtp_port=0, out=self.out, look_up=self.look_up)

    async def look_up(self, ids: list[str]) -> dict[str, Known]:
        self.asked.append(ids)
        if self.is_away:
            raise DatabaseAway("gone")
        return self.known

    def knows(self, n: int, **fields: Any) -> str:
        """Put a notification into the ledger; gives its id."""
        id_ = ID.format(n)
        values = {"channel": "webhook", "recipient": "https://example.org/x", "reference": None}
        self.known[id_] = Known(id=id_, **(values | fields))  # type: ignore[arg-type]
        return id_

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.inbox.http_port}"

    async def post(self, path: str = "/x", body: bytes = b"{}", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with (
            aiohttp.ClientSession() as s,
            s.post(self.url + path, data=io.BytesIO(body), headers=named) as answer,
        ):
            await answer.read()

    async def answer(self, query: str, **headers: str) -> tuple[int, Any, Any]:
        """Ask; gives status, headers and the JSON document."""
        url = f"{self.url}/arrivals{query}"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
            return answer.status, answer.headers, await answer.json(content_type=None)

    async def get(self, query: str = "", status: int = 200, **headers: str) -> Any:
        """Ask; gives the JSON document."""
        found, _, document = await self.answer(query, **headers)
        assert found == status, document
        return document

    async def mail(self, to: list[str], source: bytes) -> None:
        def send() -> None:
            with smtplib.SMTP("127.0.0.1", self.inbox.smtp_port, timeout=LIMIT_S) as client:
                client.sendmail("us@example.org", to, source)

        await asyncio.to_thread(send)


def run(test: Callable[[Case], Coroutine[Any, Any, None]]) -> None:
    """Run a test against an inbox of its own."""

    async def whole() -> None:
        case = Case()
        await case.inbox.start()
        try:
            await asyncio.wait_for(test(case), LIMIT_S)
        finally:
            await case.inbox.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())


def ids(answer: Any) -> list[str]:
    return [arrival["id"] for arrival in answer["arrivals"]]


def test_a_webhook_is_shown_as_its_sender_wrote_it() -> None:
    async def test(case: Case) -> None:
        id_ = case.knows(1, recipient="https://example.org/hooks?a=1", reference="order-42")
        await case.post("/hooks/status/503", b'{"n": 1.10, "big": 9007199254740993}',
            webhook_id=id_, content_type="application/json", x_odd="\u00e9")  # fmt: skip
        [shown] = (await case.get())["arrivals"]
        assert (shown["id"], shown["channel"]) == (id_, "webhook")
        assert shown["recipient"] == "https://example.org/hooks?a=1"
        assert (shown["reference"], shown["answer"]) == ("order-42", 503)
        assert shown["payload"] == {"n": 1.1, "big": 9007199254740993}
        assert shown["body"] == '{"n": 1.10, "big": 9007199254740993}'
        assert shown["headers"]["content-type"] == "application/json"
        assert shown["arrived_at"].endswith("Z")
        assert (shown["subject"], shown["text"], shown["html"]) == (None, None, None)

    run(test)


def test_a_mail_is_shown_with_its_subject_and_both_bodies() -> None:
    async def test(case: Case) -> None:
        id_ = case.knows(1, channel="email", recipient="ada@example.org", reference="order-42")
        mail = EmailMessage()
        mail["Subject"], mail["Message-ID"] = "Grün ✓", f"<{id_}@example.org>"
        mail.set_content("Hello\nAda")
        mail.add_alternative("<b>Hello</b>", subtype="html")
        mail.add_attachment("not this", filename="a.txt")
        await case.mail(["ada@example.org"], mail.as_bytes())
        [shown] = (await case.get("?reference=order-42"))["arrivals"]
        assert (shown["id"], shown["channel"]) == (id_, "email")
        assert (shown["subject"], shown["text"]) == ("Grün ✓", "Hello\nAda")
        assert (shown["html"], shown["answer"]) == ("<b>Hello</b>", 250)

    run(test)


def test_a_mail_to_several_arrives_once_for_each() -> None:
    async def test(case: Case) -> None:
        await case.mail(["a@example.org", "b@example.org"], b"Subject: x\r\n\r\nhello\r\n")
        shown = (await case.get())["arrivals"]
        assert [arrival["recipient"] for arrival in shown] == ["a@example.org", "b@example.org"]
        assert len((await case.get("?recipient=b@example.org"))["arrivals"]) == 1

    run(test)


def test_arrivals_are_found_by_id_reference_and_recipient_of_the_ledger() -> None:
    async def test(case: Case) -> None:
        first = case.knows(1, reference="order-1", recipient="https://a.example/x?y=ü&z")
        second = case.knows(2, reference="order-2")
        for id_ in (first, second, "nobody's"):
            await case.post(webhook_id=id_)
        assert ids(await case.get()) == [first, second, "nobody's"]
        assert ids(await case.get("?reference=order-2")) == [second]
        assert ids(await case.get("?recipient=https%3A%2F%2Fa.example%2Fx%3Fy%3D%C3%BC%26z")) == [
            first
        ]
        assert ids(await case.get(f"?id={second}")) == [second]
        assert ids(await case.get("?reference=order-1&recipient=https://example.org/x")) == []
        assert ids(await case.get("?reference=&recipient=&since=&wait=")) == ids(await case.get())

    run(test)


def test_the_ledger_is_asked_once_about_each_and_only_if_somebody_asks_us() -> None:
    async def test(case: Case) -> None:
        for n in range(3):
            await case.post(webhook_id=case.knows(n))
        assert case.asked == []
        await case.get()
        await case.get()
        assert case.asked == [[ID.format(n) for n in range(3)]]

    run(test)


def test_a_ledger_that_is_away_is_asked_again() -> None:
    async def test(case: Case) -> None:
        case.is_away = True
        await case.post(webhook_id=case.knows(1, reference="r"))
        assert ids(await case.get("?reference=r")) == []
        case.is_away = False
        assert ids(await case.get("?reference=r")) == [ID.format(1)]

    run(test)


def test_since_goes_on_where_the_answer_before_ended_and_misses_nothing() -> None:
    async def test(case: Case) -> None:
        for n in range(5):
            await case.post(webhook_id=case.knows(n, reference="even" if n % 2 == 0 else "odd"))
        seen, since = [], ""
        while (answer := await case.get(f"?limit=2&since={since}"))["arrivals"]:
            seen += ids(answer)
            since = answer["next"]
        assert seen == [ID.format(n) for n in range(5)]
        assert ids(await case.get(f"?since={since}")) == []
        await case.post(webhook_id=case.knows(5))
        assert ids(await case.get(f"?since={since}")) == [ID.format(5)]
        even = await case.get("?reference=even&limit=1")
        assert ids(await case.get(f"?reference=even&since={even['next']}")) == [
            ID.format(2), ID.format(4)
        ]  # fmt: skip

    run(test)


def test_a_limit_of_none_gives_the_place_behind_the_newest() -> None:
    async def test(case: Case) -> None:
        await case.post(webhook_id=case.knows(1))
        now = await case.get("?limit=0&wait=30")
        assert now["arrivals"] == []
        await case.post(webhook_id=case.knows(2))
        assert ids(await case.get(f"?since={now['next']}")) == [ID.format(2)]

    run(test)


def test_a_cursor_of_another_run_begins_anew() -> None:
    async def test(case: Case) -> None:
        await case.post(webhook_id=case.knows(1))
        assert ids(await case.get("?since=00000000-7")) == [ID.format(1)]
        mine = (await case.get())["next"].partition("-")[0]
        assert ids(await case.get(f"?since={mine}-999999999999999")) == []

    run(test)


def test_a_wait_ends_with_the_first_arrival_that_fits() -> None:
    async def test(case: Case) -> None:
        waiting = asyncio.create_task(case.get("?reference=mine&wait=30"))
        await case.post(webhook_id=case.knows(1, reference="another's"))
        await case.post(webhook_id=case.knows(2, reference="mine"))
        assert ids(await waiting) == [ID.format(2)]

    run(test)


def test_a_wait_for_nothing_ends_in_time_and_its_cursor_stands_behind_what_it_saw() -> None:
    async def test(case: Case) -> None:
        await case.post(webhook_id=case.knows(1, reference="another's"))
        loop = asyncio.get_running_loop()
        start = loop.time()
        answer = await case.get("?reference=mine&wait=0.2")
        assert 0.2 <= loop.time() - start < LIMIT_S / 2
        assert answer["arrivals"] == []
        assert ids(await case.get(f"?since={answer['next']}")) == []

    run(test)


def test_many_may_wait_and_more_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "WAITERS_MAX", 2)

    async def test(case: Case) -> None:
        waiting = {asyncio.create_task(case.answer("?id=x&wait=30")) for _ in range(3)}
        [refused], waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        status, headers, problem = await refused
        assert (status, problem["code"], headers["Retry-After"]) == (503, "overloaded", "1")
        await case.get("?id=x")  # who does not wait gets an answer
        await case.post(webhook_id="x")
        assert [ids((await task)[2]) for task in waiting] == [["x"], ["x"]]
        await case.get("?id=x&wait=1")

    run(test)


def test_the_oldest_make_room_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "KEPT_MAX", 3)

    async def test(case: Case) -> None:
        await case.post(webhook_id=case.knows(0))
        first = (await case.get())["next"]
        for n in range(1, 6):
            await case.post(webhook_id=case.knows(n))
        answer = await case.get(f"?since={first}")
        assert ids(answer) == [ID.format(n) for n in (3, 4, 5)]
        assert answer["dropped"] == 2

    run(test)


def test_large_bodies_make_room_as_well_and_an_answer_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrivals, "BYTES_MAX", 3_000_000)
    monkeypatch.setattr(asked, "ANSWER_BYTES", 1_000_000)

    async def test(case: Case) -> None:
        for n in range(6):
            await case.post(body=b"x" * 900_000, webhook_id=case.knows(n))
        first = await case.get()
        second = await case.get(f"?since={first['next']}")
        assert ids(first) + ids(second) == [ID.format(n) for n in (3, 4, 5)]

    run(test)


@pytest.mark.parametrize(
    "query",
    ["?wait=31", "?wait=-1", "?wait=1e3", "?wait=nan", "?wait=99999999999999999999", "?wait=²",
     "?limit=1001", "?limit=-1", "?limit=x", "?limit=1&limit=2", "?since=x", "?since=00000000-",
     "?since=00000000-9999999999999999", "?since=1", "?unknown=1", "?reference=a&reference=b",
     f"?since={'9' * 1500}"],
)  # fmt: skip
def test_a_wrong_question_is_refused_with_what_to_write(query: str) -> None:
    async def test(case: Case) -> None:
        problem = await case.get(query, 422)
        assert problem["code"] in ("invalid_parameter", "unknown_parameter")
        [fault] = {error["detail"] for error in problem["errors"]}
        assert fault

    run(test)


@pytest.mark.parametrize(
    "query", ["?reference=%ff%00", "?recipient=%F0%9F%98%80", "?id=%0d%0aX: y", "?reference=%ZZ"]
)
def test_an_odd_question_gets_an_answer(query: str) -> None:
    async def test(case: Case) -> None:
        await case.post()
        assert (await case.get(query))["arrivals"] == []

    run(test)


def test_web_pages_of_others_may_not_ask() -> None:
    async def test(case: Case) -> None:
        problem = await case.get("", 421, Host="evil.example")
        assert problem["code"] == "foreign_host"
        for host in ("localhost", "127.0.0.1", "[::1]:3080", "127.1.2.3"):
            await case.get("", 200, Host=host)

    run(test)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[" * 100_000, b"nonsense", b'{"a": "\\ud800"}']
)
def test_a_body_that_is_no_json_is_shown_as_text(body: bytes) -> None:
    async def test(case: Case) -> None:
        await case.post(body=body)
        [shown] = (await case.get())["arrivals"]
        assert shown["payload"] is None
        assert shown["body"] == body.decode(errors="backslashreplace")

    run(test)


NESTED = b"".join(
    b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(3000)
)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\r\n",
        b"Subject: \xff\r\n\r\n\xff",
        b"Subject: =?no-such?q?=FF?=\r\nContent-Type: text/plain; charset=no-such\r\n\r\nx",
        b"Content-Type: text/plain; charset=idna\r\n\r\n\xff\xfe",
        b"Content-Type: text/plain; charset*=%ff'x'y\r\n\r\nx",
        b'Content-Type: text/plain; charset="\x00"\r\n\r\nx',
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ny",
        b"Content-Type: multipart/mixed\r\n\r\nx",
        b"Content-Type: /\r\nContent-Disposition: \xff;;=\r\n\r\nx",
        b"Message-ID: " + b"<" * 900 + b"\r\n\r\nx",
        b"Content-Type: text/plain; charset=utf-16\r\n\r\n\x00\xd8x",
        b"Content-Type: text/plain; charset=hex\r\n\r\nzz",
        b"Subject: " + b"=?utf-8?q?a?=\r\n " * 60_000 + b"\r\n\r\nx",  # each word is joined to all
        NESTED,
    ],
    ids=range(16),
)
def test_a_mail_that_is_none_arrives_all_the_same(source: bytes) -> None:
    async def test(case: Case) -> None:
        await case.mail(["b@example.org"], source)
        await case.mail(["b@example.org"], b"Subject: after\r\n\r\nx\r\n")
        shown = (await case.get())["arrivals"]
        assert [arrival["recipient"] for arrival in shown] == ["b@example.org"] * 2
        assert shown[1]["subject"] == "after"

    run(test)


def test_who_asks_leaves_no_trace_among_the_arrivals() -> None:
    async def test(case: Case) -> None:
        await case.get()
        assert case.out.getvalue() == ""
        assert (await case.get())["arrivals"] == []
        await case.post("/arrivals")  # a webhook to somebody's path of that name
        assert len((await case.get())["arrivals"]) == 1

    run(test)


def test_the_page_shows_what_is_answered() -> None:
    """What ops/SANDBOX.md and ops/STABILITY.md say of it."""
    page = (OPS / "SANDBOX.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    shown = json.loads(example)
    explained = re.findall(r"^\| (`.*?) \|", page.partition("| parameter |")[2], re.MULTILINE)
    rows = re.findall(
        r"^\| (parameters|document|an arrival) \| (.*) \|$",
        (OPS / "STABILITY.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    names = {what: re.findall(r"`(\w+)`", cell) for what, cell in rows}
    assert sorted(re.findall(r"`(\w+)`", " ".join(explained))) == sorted(names["parameters"])

    async def test(case: Case) -> None:
        await case.post(webhook_id=case.knows(1))
        answer = await case.get()
        assert list(answer) == list(shown) == names["document"]
        [arrival] = answer["arrivals"]
        assert list(arrival) == list(shown["arrivals"][0]) == names["an arrival"]
        all_of_them = "".join(f"&{name}=" for name in [*names["parameters"], "another"])
        problem = await case.get(f"?{all_of_them}", 422)
        assert [error["parameter"] for error in problem["errors"]] == ["another"]

    run(test)
