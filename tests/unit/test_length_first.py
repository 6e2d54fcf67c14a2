"""Length before content: nothing beyond its limit reaches a pattern, a parser or another library.

Watched are every compiled pattern of our modules, and every function outside the project.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from multidict import MultiDict

import service.api.body
import service.api.list_query
import service.api.sight
import service.channels.email
import service.channels.header
import service.channels.log
import service.channels.message
import service.channels.webhook
import service.text.addresses
import service.text.checks
import workers.channels.email
import workers.channels.webhook
from service.api import body, cancel_many, list_query, probe, read, redrive
from service.channels.email import EmailPayload
from service.config.settings import Settings
from service.http.problems import Problem
from service.http.query import parameters
from service.model.words import Channel
from tests.unit.workers.claims import a_claim
from workers.channels.channel import Mail
from workers.channels.email import EmailChannel
from workers.channels.webhook import WebhookChannel
from workers.claim import Verdict

MODULES = [
    service.text.addresses,
    service.api.body,
    service.api.list_query,
    service.api.sight,
    service.channels.email,
    service.channels.log,
    service.channels.webhook,
    service.text.checks,
    workers.channels.email,
    service.channels.header,
    service.channels.message,
    workers.channels.webhook,
]
SETTINGS = Settings(smtp_url="smtp://127.0.0.1", mail_from="us@example.org")
ROOT = Path(service.text.checks.__file__).parents[2]
OURS = (f"{ROOT}/service/", f"{ROOT}/workers/", __file__)
# They look each character up once; and what the watch itself is made of.
READERS = re.compile(r"/(json|multidict|msgspec)/|/(enum|contextlib)\.py$|^<")

# Characters. None: read as a whole, in time that grows with the length alone.
LIMITS = {
    "NewNotification.recipient": 2048,
    "NewNotification.reference": 255,
    "NewNotification.idempotency_key": 255,
    "NewNotification.payload": None,
    "RedriveFilter.last_error_code": 255,
    "RedriveFilter.producer": 63,
    "RedriveFilter.reference": 255,
    "RedriveFilter.recipient": 2048,
    "RedriveFilter.destination": 300,
    "CancelFilter.producer": 63,
    "CancelFilter.reference": 255,
    "CancelFilter.recipient": 2048,
    "CancelFilter.destination": 300,
    "Probe.destination": 300,
    "EmailPayload.subject": 998,
    "EmailPayload.text": None,
    "EmailPayload.html": None,
    "EmailPayload.reply_to": 254,
    "EmailPayload.headers": 998,
}
LONG = [
    "a" + "\u0301\u0316" * 50_000 + "@x.example",
    "a@" + "\u0660" * 100_000,
    "a@" + "xn--" + "9" * 100_000,
    "https://" + "a" * 100_000,
    "https://[" + ":" * 100_000 + "]",
    "=?" * 50_000,
    "\u00fc " * 50_000,
    "a" * 100_000,
    "1" * 100_000,
    "-" * 100_000,
]


class Watched:
    """A compiled pattern that remembers the longest text it was asked about."""

    def __init__(self, pattern: re.Pattern[str], seen: list[tuple[str, int]]) -> None:
        self.pattern = pattern
        self.seen = seen

    def __getattr__(self, name: str) -> Any:
        def ask(*given: Any) -> Any:
            self.seen.append((self.pattern.pattern[:30], len(given[-1])))
            return getattr(self.pattern, name)(*given)

        return ask


@pytest.fixture
def patterns(monkeypatch):
    """Watch the patterns of our modules, also those of tomorrow."""
    asked: list[tuple[str, int]] = []
    for module in MODULES:
        for name, value in list(vars(module).items()):
            if isinstance(value, re.Pattern):
                monkeypatch.setattr(module, name, Watched(value, asked))
    return asked


@contextmanager
def watching(patterns: list[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    """Collect how long the texts were that reached a pattern, or a function that is not ours."""
    patterns.clear()

    def profile(frame: Any, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or code.co_filename.startswith(OURS) or READERS.search(code.co_filename):
            return
        for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            value = frame.f_locals.get(name)
            if isinstance(value, str):
                patterns.append((f"{code.co_filename}:{code.co_name}", len(value)))

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield patterns
    finally:
        sys.setprofile(before)


def longest(seen: list[tuple[str, int]]) -> tuple[int, str]:
    """Return the longest of them, and who was asked."""
    return max(((size, who) for who, size in seen), default=(0, ""))


def text_fields(kind: type) -> dict[str, str]:
    """Name the fields of a struct that take text: `Struct.field` -> field."""
    return {
        f"{kind.__name__}.{name}": name
        for name, hint in get_type_hints(kind).items()
        if {str, msgspec.Raw} & set(atoms(hint))
    }


def atoms(hint: Any) -> list[Any]:
    """Take a type apart."""
    inner = [atom for each in get_args(hint) for atom in atoms(each)]
    return [hint, *inner]


def post(**fields: Any) -> None:
    """Read a body of POST /notify."""
    good = {"channel": "email", "recipient": "a@b.example", "payload": {"subject": "", "text": ""}}
    with suppress(Problem):
        body.read_notification(msgspec.json.encode(good | fields), SETTINGS)


def prepare(recipient: str = "a@b.example", **fields: Any) -> Mail | Verdict:
    """Make a mail of a row, which SQL may have inserted."""
    payload = {"subject": "", "text": ""} | fields
    return EmailChannel(SETTINGS).prepare(a_claim(payload, channel="email", recipient=recipient))


def test_every_field_that_takes_text_has_a_limit_here() -> None:
    kinds = [
        body.NewNotification, EmailPayload, redrive.Redrive, redrive.RedriveFilter,
        cancel_many.CancelMany, cancel_many.CancelFilter, probe.Probe,
    ]  # fmt: skip
    assert {name for kind in kinds for name in text_fields(kind)} == set(LIMITS)


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("field", ["recipient", "reference"])
def test_no_long_field_of_a_notification_reaches_them(patterns, channel, field) -> None:
    for text in LONG:
        with watching(patterns) as seen:
            post(**{"channel": channel, field: text})
        assert longest(seen) <= (LIMITS[f"NewNotification.{field}"], "~"), text[:20]


OPERATORS: dict[str, Callable[[str, str], object]] = {
    "RedriveFilter": lambda field, text: redrive.read_redrive(
        msgspec.json.encode({"filter": {field: text}})),
    "CancelFilter": lambda field, text: cancel_many.read_cancel_many(
        msgspec.json.encode({"filter": {field: text}})),
    "Probe": lambda field, text: probe.read_probe(
        msgspec.json.encode({"channel": "webhook", field: text})),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in LIMITS if name.partition(".")[0] in OPERATORS])
def test_no_long_field_of_an_operators_verb_reaches_them(patterns, name) -> None:
    kind, _, field = name.partition(".")
    for text in LONG:
        with watching(patterns) as seen, suppress(Problem):
            OPERATORS[kind](field, text)
        assert longest(seen) <= (LIMITS[name], "~"), text[:20]


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_no_long_field_of_a_mail_reaches_them(patterns, text) -> None:
    value: Any
    for field, value in (
        ("subject", text),
        ("reply_to", text),
        ("headers", {text: "a"}),
        ("headers", {"X-A": text}),
        ("headers", {f"X-{n}": text[:999] for n in range(51)}),
    ):
        limit = LIMITS[f"EmailPayload.{field}"]
        with watching(patterns) as seen:
            post(payload={"subject": "", "text": "", field: value})
        assert longest(seen) <= (limit, "~"), field
        with watching(patterns) as seen:
            verdict = prepare(**{field: value})
        assert longest(seen) <= (limit, "~"), field
        assert (verdict.outcome, verdict.code) == ("permanent", "invalid_header")


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_no_long_recipient_of_a_row_reaches_them(patterns, text) -> None:
    with watching(patterns) as seen:
        assert prepare(recipient=text).code == "invalid_recipient"
    assert longest(seen) <= (254, "~")
    with watching(patterns) as seen:
        assert WebhookChannel(SETTINGS).prepare(a_claim(recipient=text)).code == "bad_url"
    assert longest(seen) <= (2048, "~")


@pytest.mark.parametrize("name", [*list_query.PARAMETERS, "other"])
def test_no_long_parameter_reaches_them(patterns, name) -> None:
    for text in LONG:
        with watching(patterns) as seen, suppress(Problem):
            parameters(MultiDict({name: text}), list_query.PARAMETERS)
        assert longest(seen) <= (255, "~"), text[:20]
        request: Any = SimpleNamespace(match_info={"id": text})
        with watching(patterns) as seen, suppress(Problem):
            read.notification_id(request)
        assert longest(seen) <= (36, "~"), text[:20]


def test_what_is_watched_would_be_seen(patterns) -> None:
    with watching(patterns) as seen:
        assert isinstance(prepare(subject="ab c", reply_to="a@b\u00fc.example"), Mail)
    assert {size for _, size in seen} >= {len("ab c"), len("a@b\u00fc.example"), len("Subject")}
