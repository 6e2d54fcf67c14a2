"""A small client of the HTTP API, for the commands that people and scripts use."""

import json
import re
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from service.errors import ConfigError, NotifyError
from service.logs import masked

TIMEOUT_S = 10
BASE_URL = re.compile(r"https?://[^/?#\\@\s]+(?:/[^?#\\\s]*)?", re.IGNORECASE)


class NoRedirect(HTTPRedirectHandler):
    """What was meant for one server is not for another: its 3xx is an answer like any other."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


# No proxy either, whatever HTTP_PROXY says: the API is here, or where --url says.
opener = build_opener(ProxyHandler({}), NoRedirect)


def send(base_url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Enqueue one notification; returns what POST /notify answers. Raises NotifyError."""
    return ask(f"{base_url.rstrip('/')}/notify", body)


def status(base_url: str, id: str) -> dict[str, Any]:
    """Read one notification with every attempt. Raises NotifyError."""
    return ask(f"{base_url.rstrip('/')}/notifications/{quote(id, safe='')}")


def cancel(base_url: str, id: str) -> dict[str, Any]:
    """Call one notification off. Raises NotifyError, also when it is too late."""
    return ask(f"{base_url.rstrip('/')}/notifications/{quote(id, safe='')}/cancel", {})


def redrive(base_url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Queue dead letters again; returns what POST /redrive answers. Raises NotifyError."""
    return ask(f"{base_url.rstrip('/')}/redrive", body)


def ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Make one request, a POST if there is a body; whatever goes wrong becomes one line."""
    if not BASE_URL.fullmatch(url):
        raise ConfigError("--url: give http://host:port, without user and password")
    try:
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {"User-Agent": "notify", "Content-Type": "application/json"}
        with opener.open(Request(url, data, headers), timeout=TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
    except HTTPError as error:
        with error:
            raise NotifyError(sentence(error.code, error.read())) from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise NotifyError(f"{masked(url)}: no answer: {reason}") from None
    except ValueError as error:
        raise NotifyError(f"{masked(url)}: no answer of ours: {error}") from None
    return answer


def sentence(code: int, body: bytes) -> str:
    """Put a problem document into one line: its title, and what is wrong where."""
    try:
        problem = json.loads(body)
        faults = [f"{fault.get('pointer', '')} {fault['detail']}".strip()
                  for fault in problem["errors"]]  # fmt: skip
        text = f"{problem['title']}: {' '.join(faults) or problem['detail']}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {code}"
    return f"{text} ({problem.get('code', code)})"
