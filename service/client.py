"""A small client of the HTTP API, for the commands that people and scripts use."""

import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from service.errors import NotifyError

TIMEOUT_S = 10


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
    try:
        data = None if body is None else json.dumps(body, allow_nan=False).encode()
        headers = {"User-Agent": "notify", "Content-Type": "application/json"}
        with urlopen(Request(url, data, headers), timeout=TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
    except HTTPError as error:
        with error:
            raise NotifyError(sentence(error.code, error.read())) from None
    except (OSError, HTTPException) as error:
        raise NotifyError(f"{url}: no answer: {getattr(error, 'reason', error)}") from None
    except ValueError as error:
        raise NotifyError(f"{url}: {error}") from None
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
