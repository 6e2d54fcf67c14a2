"""A small client of the HTTP API, for the commands that people and scripts use.

`typed` names the option that a field of a request came from, so that an error can name it too:
`{"/send_at": "--send-at"}`, or a parameter's name for its option.
"""

import re
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import msgspec

from service.cli.answers import UNTYPED, Typed, no_answer, refusal, stranger
from service.config.settings import read_setting
from service.errors import ConfigError, NobodyListens, NotifyError, TryLater
from service.limits import NESTING_MAX
from service.text.outline import Flat

TIMEOUT_S = 10
ANSWER_MAX_BYTES = 64 * 1024**2
PROBLEM_MAX_BYTES = 65536
members_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
BASE_URL = re.compile(r"https?://[^/?#\\@\s]+(?:/[^?#\\\s]*)?", re.IGNORECASE)


class NoRedirect(HTTPRedirectHandler):
    """Treat a 3xx as an answer: a request for one server is never sent to another."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


# No proxy either, whatever HTTP_PROXY says: the API is here, or where --url says.
opener = build_opener(ProxyHandler({}), NoRedirect)


def send(base_url: str, body: dict[str, Any], typed: Typed = UNTYPED) -> dict[str, Any]:
    """Enqueue one notification; returns what POST /notify answers. Raises NotifyError."""
    return ask(base_url, "/notify", body, typed=typed)


def status(base_url: str, id: str, wait_s: int = 0) -> dict[str, Any]:
    """Read one notification with every attempt, when it has ended or `wait_s` are over.

    Raises NotifyError.
    """
    query = f"?wait={wait_s}" if wait_s else ""
    return ask(base_url, f"/notifications/{quote(id, safe='')}{query}", wait_s=wait_s)


def explain(base_url: str, id: str) -> dict[str, Any]:
    """Ask why one notification is where it is. Raises NotifyError."""
    return ask(base_url, f"/notifications/{quote(id, safe='')}/explain")


def page(base_url: str, query: Mapping[str, object], typed: Typed = UNTYPED) -> dict[str, Any]:
    """Read a page of the list; returns what GET /notifications answers. Raises NotifyError."""
    return ask(base_url, f"/notifications?{urlencode(query)}", typed=typed)


def destinations(base_url: str, limit: int, typed: Typed = UNTYPED) -> dict[str, Any]:
    """Read where notifications went in the last hour. Raises NotifyError."""
    return ask(base_url, f"/destinations?limit={limit}", typed=typed)


def cancel(base_url: str, id: str) -> dict[str, Any]:
    """Call one notification off. Raises NotifyError, also when it is too late."""
    return ask(base_url, f"/notifications/{quote(id, safe='')}/cancel", {})


def send_again(base_url: str, id: str) -> dict[str, Any]:
    """Send a copy of one that has ended; returns its receipt. Raises NotifyError."""
    return ask(base_url, f"/notifications/{quote(id, safe='')}/send-again", {})


def cancel_many(base_url: str, body: dict[str, Any], typed: Typed = UNTYPED) -> dict[str, Any]:
    """Call off all that match; returns what POST /cancel answers. Raises NotifyError."""
    return ask(base_url, "/cancel", body, typed=typed)


def probe(base_url: str, body: dict[str, Any], typed: Typed = UNTYPED) -> dict[str, Any]:
    """Have a destination tried; returns what POST /destinations/probe answers. Raises NotifyError.

    It raises also when nothing keeps that destination back.
    """
    return ask(base_url, "/destinations/probe", body, typed=typed)


def redrive(base_url: str, body: dict[str, Any], typed: Typed = UNTYPED) -> dict[str, Any]:
    """Queue dead letters again; returns what POST /redrive answers. Raises NotifyError."""
    return ask(base_url, "/redrive", body, typed=typed)


def pauses(base_url: str) -> dict[str, Any]:
    """Read what is paused; returns what GET /pauses answers. Raises NotifyError."""
    return ask(base_url, "/pauses")


def pause(base_url: str, body: dict[str, Any], typed: Typed = UNTYPED) -> dict[str, Any]:
    """Pause something; returns what POST /pauses answers. Raises NotifyError."""
    return ask(base_url, "/pauses", body, typed=typed)


def resume(base_url: str, id: str) -> dict[str, Any]:
    """End a pause. Raises NotifyError, also when there is none."""
    return ask(base_url, f"/pauses/{quote(id, safe='')}/resume", {})


def ask(
    base_url: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    typed: Typed = UNTYPED,
    wait_s: int = 0,
) -> dict[str, Any]:
    """Make one request, a POST if there is a body; whatever goes wrong becomes one line.

    `wait_s`: for which the API may wait. Raises NobodyListens, TryLater (429, 503, a gateway's 504,
    or no answer in time), or NotifyError.
    """
    if not BASE_URL.fullmatch(base_url):
        raise ConfigError("--url: give http://host:port, without user and password")
    url = base_url.rstrip("/") + path
    data = None if body is None else msgspec.json.encode(body)
    headers = {"User-Agent": "notify", "Content-Type": "application/json"} | bearer()
    try:
        with opener.open(Request(url, data, headers), timeout=TIMEOUT_S + wait_s) as response:
            return answer(base_url, response)
    except HTTPError as error:
        with error:
            kind = TryLater if error.code in (429, 503, 504) else NotifyError
            raise kind(
                refusal(base_url, error.code, error.headers, body_of(error), typed)
            ) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise kind_of(reason)(no_answer(base_url, reason, TIMEOUT_S + wait_s)) from None


def bearer() -> dict[str, str]:
    """Return the header that brings NOTIFY_KEY, of the environment or .env, if it is set."""
    key = read_setting("notify_key")
    return {"Authorization": f"Bearer {key}"} if key else {}


def answer(base_url: str, response: HTTPResponse) -> dict[str, Any]:
    """Read a JSON document. Raises NotifyError if it is none, TimeoutError if it has no end."""
    end = time.monotonic() + TIMEOUT_S
    parts: list[bytes] = []
    while part := response.read1(65536):
        parts.append(part)
        if time.monotonic() > end or sum(map(len, parts)) > ANSWER_MAX_BYTES:
            raise TimeoutError
    try:
        return document(b"".join(parts))
    except (ValueError, RecursionError):
        raise NotifyError(stranger(base_url, response.status, response.headers)) from None


def document(json: bytes) -> dict[str, Any]:
    """Read an object; its payload stays as it is written. Raises ValueError or RecursionError.

    What SQL takes as a payload may have more digits, and more levels, than Python reads.
    """
    try:
        members = members_of(json)
    except RecursionError:
        flat = Flat.of(json, NESTING_MAX)
        members = members_of(flat)
        if "payload" in members:
            payload = bytes(members["payload"])
            begin = flat.index(payload)
            members["payload"] = msgspec.Raw(json[begin : begin + len(payload)])
    return {
        name: raw if name == "payload" else msgspec.json.decode(raw)
        for name, raw in members.items()
    }


def body_of(error: HTTPError) -> bytes:
    """Read what there is of an error's document."""
    try:
        return error.read(PROBLEM_MAX_BYTES)
    except (OSError, HTTPException):
        return b""


def kind_of(reason: object) -> type[NotifyError]:
    """Say what a caller can do about a request that got no answer."""
    if isinstance(reason, ConnectionRefusedError):
        return NobodyListens
    return TryLater if isinstance(reason, TimeoutError | ConnectionError) else NotifyError
