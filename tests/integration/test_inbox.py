"""The inbox as its callers see it: what it answers, and what it prints."""

import asyncio
import io
import smtplib
import socket
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
import uvloop
from standardwebhooks import Webhook

from service.errors import StartError
from service.inbox import smtp as inbox_smtp
from service.inbox.http import steer
from service.inbox.inbox import Inbox
from tests.waiting import LIMIT_S

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_bm90IHRoZSBzZWNyZXQgYXQgYWxsIQ=="


class Case:
    """A running inbox, and what it printed."""

    def __init__(self, inbox: Inbox, out: io.StringIO) -> None:
        self.inbox = inbox
        self.out = out

    def lines(self) -> list[str]:
        """Give what was printed, without the time and the headers."""
        return [
            line.partition("  ")[2].partition("  [")[0] for line in self.out.getvalue().splitlines()
        ]

    async def post(self, path: str, body: bytes = b"{}", **headers: str) -> int:
        """Post, and give the status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.inbox.http_port}{path}"
        async with (
            aiohttp.ClientSession(headers=named) as session,
            session.post(url, data=io.BytesIO(body)) as answer,
        ):
            return answer.status

    async def mail(self, send: Callable[[smtplib.SMTP], Any]) -> Any:
        """Talk to the mail server in a thread; its client is a blocking one."""

        def talk() -> Any:
            with smtplib.SMTP("127.0.0.1", self.inbox.smtp_port, timeout=LIMIT_S) as client:
                return send(client)

        return await asyncio.to_thread(talk)

    async def raw(self, port: int, data: bytes, *, hang_up: bool = True) -> bytes:
        """Send bytes, close our side unless the other is to close first; give what comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        if hang_up:
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), LIMIT_S)
        writer.close()
        return answer


def on_our_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run on the event loop that the commands run on: its transports are of another family."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def run(test: Callable[[Case], Any], *, verbose: bool = False) -> None:
    """Run a test against an inbox of its own."""

    async def whole() -> None:
        out = io.StringIO()
        inbox = Inbox(http_port=0, smtp_port=0, secrets=(OTHER, SECRET), verbose=verbose, out=out)
        await inbox.start()
        try:
            await test(Case(inbox, out))
        finally:
            await inbox.stop()

    on_our_loop(whole())


def signed(body: bytes, *, when: datetime | None = None, secret: str = SECRET) -> dict[str, str]:
    """Sign as the reference implementation does."""
    when = when or datetime.now(UTC)
    return {
        "webhook_id": "msg_1",
        "webhook_timestamp": str(int(when.timestamp())),
        "webhook_signature": Webhook(secret).sign("msg_1", when, body.decode()),
    }


def test_an_unsigned_post_is_one_line() -> None:
    async def test(case: Case) -> None:
        assert await case.post("/hook?a=1", b"12345") == 200
        assert case.lines() == ["webhook  (no id)  POST /hook?a=1  5 bytes  unsigned"]

    run(test)


def test_the_line_shows_what_a_webhook_is_signed_with() -> None:
    async def test(case: Case) -> None:
        headers = signed(b"{}")
        await case.post("/", b"{}", content_type="application/json", **headers)
        assert case.out.getvalue().endswith(
            f"  [content-type: application/json, webhook-timestamp: {headers['webhook_timestamp']}"
            f", webhook-signature: {headers['webhook_signature']}]\n"
        )

    run(test)


def test_a_signature_of_the_reference_implementation_is_ok() -> None:
    async def test(case: Case) -> None:
        body = '{"grün": 1}'.encode()
        await case.post("/", body, **signed(body))
        rotated = signed(body)
        rotated["webhook_signature"] = "v1,AAAA " + rotated["webhook_signature"]
        await case.post("/", body, **rotated)
        assert case.lines() == ["webhook  msg_1  POST /  12 bytes  signed ok"] * 2

    run(test)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"other", {}),
        (b"body", {"webhook_id": "msg_2"}),
        (b"body", {"webhook_signature": "v1,"}),
        (b"body", {"webhook_signature": "nonsense \u00fc"}),
    ],
)
def test_a_signature_that_does_not_fit_is_bad(body: bytes, headers: dict[str, str]) -> None:
    async def test(case: Case) -> None:
        assert await case.post("/", body, **(signed(b"body") | headers)) == 200
        assert case.lines()[0].endswith("BAD SIGNATURE")

    run(test)


def test_a_signature_by_another_secret_is_bad() -> None:
    async def test(case: Case) -> None:
        other = signed(b"body", secret="whsec_" + "A" * 32)
        assert await case.post("/", b"body", **other) == 200
        assert case.lines()[0].endswith("BAD SIGNATURE")

    run(test)


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "²", "9" * 400])
def test_a_timestamp_that_is_none_is_bad(stamp: str) -> None:
    async def test(case: Case) -> None:
        await case.post("/", b"body", **(signed(b"body") | {"webhook_timestamp": stamp}))
        assert case.lines()[0].endswith("BAD SIGNATURE (timestamp)")

    run(test)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_signature_of_another_time_is_bad(minutes: int) -> None:
    async def test(case: Case) -> None:
        when = datetime.now(UTC) + timedelta(minutes=minutes)
        await case.post("/", b"body", **signed(b"body", when=when))
        assert case.lines()[0].endswith("BAD SIGNATURE (timestamp)")

    run(test)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/", (200, 0)),
        ("/status/503", (503, 0)),
        ("/slow/2.5", (200, 2.5)),
        ("/slow/0.5/status/410/more", (410, 0.5)),
        ("/slow/9999", (200, 60)),
        ("/status/100", (200, 0)),
        ("/status/5033", (200, 0)),
        ("/slow/-1", (200, 0)),
    ],
)
def test_the_path_steers_the_answer(path: str, answer: tuple[int, float]) -> None:
    assert steer(path) == answer


def test_the_steered_status_is_answered_after_the_wait() -> None:
    async def test(case: Case) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert await case.post("/slow/0.2/status/429") == 429
        assert loop.time() - start >= 0.2
        assert await case.post("/status/204") == 204

    run(test)


def test_a_browser_is_told_what_paths_and_addresses_ask_for() -> None:
    async def test(case: Case) -> None:
        request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        page = await case.raw(case.inbox.http_port, request, hang_up=False)
        for said in (b"200 OK", b"text/html", b"/status/503", b"/slow/2.5", b"550@"):
            assert said in page
        assert case.lines() == ["webhook  (no id)  GET /  0 bytes  unsigned"]

    run(test)


def test_a_huge_body_is_refused_and_said() -> None:
    async def test(case: Case) -> None:
        assert await case.post("/", b"x" * 1_048_577) == 413
        assert case.lines()[0].endswith("REFUSED: over 1048576 bytes")

    run(test)


def test_what_would_move_the_cursor_is_spelled_out() -> None:
    async def test(case: Case) -> None:
        await case.raw(
            case.inbox.http_port,
            (
                b"POST /%c2%9b HTTP/1.1\r\nHost: x\r\nwebhook-id: \xff\r\nContent-Length: 4\r\n"
                b"Connection: close\r\n\r\n\x1b[2J"
            ),
            hang_up=False,
        )
        printed = case.out.getvalue()
        assert "\x1b" not in printed and "\x9b" not in printed
        assert "\\x1b[2J" in printed and "\\udcff" in printed
        printed.encode()

    run(test, verbose=True)


def test_a_mail_is_one_line_with_its_subject() -> None:
    async def test(case: Case) -> None:
        text = "Subject: =?utf-8?q?gr=C3=BCn?=\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n"

        def send(client: smtplib.SMTP) -> None:
            client.login("anybody", "anything")
            client.sendmail("a@example.org", ["b@example.org", "c@example.org"], text)

        await case.mail(send)
        assert case.lines() == [
            "mail     <1@example.org>  to b@example.org, c@example.org"
            f"  {len(text)} bytes  subject: grün"
        ]

    run(test)


@pytest.mark.parametrize("code", [451, 550])
def test_a_mail_is_refused_as_its_address_asks(code: int) -> None:
    async def test(case: Case) -> None:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            await case.mail(lambda c: c.sendmail("a@example.org", [f"{code}@example.org"], "x"))
        assert refused.value.recipients[f"{code}@example.org"][0] == code
        assert case.lines() == []

    run(test)


def test_a_mail_that_is_none_is_taken_and_printed_all_the_same() -> None:
    async def test(case: Case) -> None:
        await case.raw(
            case.inbox.smtp_port,
            (
                b"EHLO \xff\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
                b"Subject: =?no-such-charset?q?=FF?=\r\nMessage-ID: \xff\x1b[2J\r\n\x00\r\n"
                b"\r\n\xff\r\n.\r\nQUIT\r\n"
            ),
        )
        assert len(case.lines()) == 1
        assert "\x1b" not in case.lines()[0]

    run(test)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xfe\xfd\r\n" * 30,
        b"A" * 100_000,
        b"\x16\x03\x01\x02\x00" * 20,
        b"\r\n" * 50,
        b"EHLO x\r\nMAIL FROM:<(((\r\nRCPT TO:<\xff>\r\nAUTH PLAIN !\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nbroken off",
    ],
)
def test_garbage_brings_neither_half_down_nor_a_traceback(
    garbage: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def test(case: Case) -> None:
        await case.raw(case.inbox.http_port, garbage)
        await case.raw(case.inbox.smtp_port, garbage)
        assert await case.post("/alive") == 200
        await case.mail(lambda client: client.noop())

    run(test)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_verbose_prints_headers_and_body() -> None:
    async def test(case: Case) -> None:
        await case.post("/", b"the body", x_special="yes")
        await case.mail(lambda c: c.sendmail("a@example.org", ["b@example.org"], "X-A: 1\n\nhello"))
        printed = case.out.getvalue().splitlines()
        for line in ("x-special: yes", "the body", "X-A: 1", "hello"):
            assert f"    {line}" in printed

    run(test, verbose=True)


@pytest.mark.parametrize("taken", ["http_port", "smtp_port"])
def test_a_taken_port_is_one_line_and_leaves_nothing_listening(taken: str) -> None:
    async def whole() -> None:
        with socket.create_server(("127.0.0.1", 0)) as holder, socket.socket() as free:
            port = holder.getsockname()[1]
            inbox = Inbox(**({"http_port": 0, "smtp_port": 0} | {taken: port}))
            with pytest.raises(StartError, match=f"127.0.0.1:{port}: Address already in use") as e:
                await inbox.start()
            assert "\n" not in str(e.value)
            free.bind(("127.0.0.1", inbox.http_port if taken == "smtp_port" else 0))

    on_our_loop(whole())


def test_stop_hangs_up_on_a_mail_client_that_stays() -> None:
    async def whole() -> None:
        inbox = Inbox(http_port=0, smtp_port=0)
        await inbox.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", inbox.smtp_port)
        assert (await reader.readline()).startswith(b"220")
        await asyncio.wait_for(inbox.stop(), LIMIT_S)
        await inbox.stop()
        assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
        writer.close()

    on_our_loop(whole())


def test_a_crowd_of_mail_clients_is_turned_away_and_then_let_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox_smtp, "CONVERSATIONS_MAX", 8)

    async def test(case: Case) -> None:
        greetings = []
        async with AsyncExitStack() as crowd:
            for _ in range(10):
                reader, writer = await asyncio.open_connection("127.0.0.1", case.inbox.smtp_port)
                crowd.callback(writer.close)
                greetings.append(await asyncio.wait_for(reader.readline(), LIMIT_S))
                if len(greetings) > 8:
                    assert await asyncio.wait_for(reader.read(), LIMIT_S) == b""
        assert [line[:4] for line in greetings] == [b"220 "] * 8 + [b"421 "] * 2
        is_full = True
        while is_full:  # until those are seen to be gone
            with suppress(smtplib.SMTPException):
                is_full = (await case.mail(lambda client: client.noop()))[0] != 250

    run(test)


def test_a_closed_output_does_not_stop_deliveries() -> None:
    async def test(case: Case) -> None:
        case.out.close()
        assert await case.post("/") == 200

    run(test)
