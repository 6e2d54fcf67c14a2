"""What an HTTP server said, or did not say, in one line for a person."""

import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from email.message import Message
from http.client import HTTPException, InvalidURL
from types import MappingProxyType
from typing import Any

from service.logs.logs import masked

Typed = Mapping[str, str]
Headers = Mapping[str, str] | Message
UNTYPED: Typed = MappingProxyType({})

MEANINGS = {
    401: "it asks for a login, which this command has not: go past the proxy",
    403: "it does not let us in",
    404: "there is no such path: is --url the address of notify, without a path?",
    405: "there is no such path: is --url the address of notify?",
    407: "a proxy asks for a login",
    413: "the body is too large: send a link to what is larger",
    415: "it does not take JSON: is --url the address of notify?",
    421: "it does not answer to this name: its operator may add it to ALLOWED_HOSTS",
    429: "too many requests: try again later",
    500: "something went wrong there: see its log",
    502: "a proxy does not reach the API: is it running?",
    503: "it cannot do it now: try again later",
    504: "a proxy waited too long for the API",
}
# What a command can do about a problem, where the API's own words are for its clients.
ADVICE = {
    "key_missing": "set NOTIFY_KEY, here or in .env, to one that `notify keys create` has printed",
    "key_invalid": "NOTIFY_KEY is mistyped, revoked or expired: ask for another one",
}
# The first that fits: an SSLCertVerificationError is an SSLError, and most are an OSError.
CAUSES: Sequence[tuple[type | tuple[type, ...], str]] = (
    (ConnectionRefusedError,
     "nobody listens there. Is `notify up` running? Else say where by --url"),
    (TimeoutError, "it took more than {limit_s:g} s; what was asked for may have been done"),
    (socket.gaierror, "the host's name does not resolve: see --url"),
    (ssl.SSLCertVerificationError,
     "its certificate is not trusted: SSL_CERT_FILE names its authority"),
    (ssl.SSLError, "it speaks no TLS, or another one: is it http:// instead of https://?"),
    (ConnectionError, "it hung up: is it an HTTP server, and is it https:// instead of http://?"),
    ((InvalidURL, ValueError), "--url is none: give http://host:port"),
    (HTTPException, "what it says is not HTTP: is the port in --url right? Is it https://?"),
)  # fmt: skip


def refusal(base_url: str, code: int, headers: Headers, body: bytes, typed: Typed = UNTYPED) -> str:
    """Put an answer that is no 2xx into one line: what is wrong where, and when to try again."""
    try:
        text = problem_line(json.loads(body), code, typed)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = f"{shown(base_url)}: {meaning(code, headers)} (HTTP {code})"
    after = headers.get("Retry-After", "")
    return f"{text}; Retry-After: {after}{' s' * after.isdigit()}" if after else text


def problem_line(problem: Mapping[str, Any], code: int, typed: Typed) -> str:
    """Put a problem document into one line."""
    if problem.get("code") == "not_found":
        return f"{MEANINGS[404]} (not_found)"
    faults = [fault_line(fault, typed) for fault in problem["errors"]]
    advice = ADVICE.get(str(problem.get("code")))
    text = f"{problem['title']}: {advice or ' '.join(faults) or problem['detail']}"
    return f"{text} ({problem.get('code', code)})"


def fault_line(fault: Mapping[str, str], typed: Typed) -> str:
    """Say where a fault is by the option that was typed, else as the API says."""
    where = fault.get("pointer") or fault.get("parameter") or ""
    named = option(where, typed)
    return f"{named}{':' * (named != where)} {fault['detail']}".strip()


def option(where: str, typed: Typed) -> str:
    """Translate a pointer, or the longest part of it that was typed: `/payload/a` is JSON's /a."""
    head, rest = where, ""
    while head:
        if head in typed:
            return f"{typed[head]} {rest}".strip() if rest else typed[head]
        head, _, last = head.rpartition("/")
        rest = f"/{last}{rest}"
    return where


def shown(base_url: str) -> str:
    """Show an address; a path may be a secret."""
    return base_url if base_url.count("/") == 2 else masked(base_url)


def meaning(code: int, headers: Headers) -> str:
    """Say what a status means when the answer holds no problem document of ours."""
    if 300 <= code < 400:
        return f"it sends us on to {masked(headers.get('Location', ''))}: give that to --url"
    return MEANINGS.get(code) or ("it failed" if code >= 500 else "it refused")


def no_answer(base_url: str, reason: object, limit_s: float) -> str:
    """Say why there was no answer, and what may help."""
    return f"{shown(base_url)}: no answer: {why(reason, limit_s)}"


def why(reason: object, limit_s: float) -> str:
    """Name the cause. The error's own text is not shown, as it may quote a URL."""
    for kinds, text in CAUSES:
        if isinstance(reason, kinds):
            return text.format(limit_s=limit_s)
    return getattr(reason, "strerror", None) or f"{type(reason).__name__}: see --url"


def stranger(base_url: str, code: int, headers: Headers) -> str:
    """Say that another server answered: with an HTML page, or a web hook's empty 200."""
    kind = headers.get("Content-Type", "").partition(";")[0] or "nothing"
    return (
        f"{shown(base_url)} answers, but not as notify does (HTTP {code}, {kind}):"
        " see --url and PORT"
    )
