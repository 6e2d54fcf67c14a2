"""One thing that is wrong, and how its words are put."""

from dataclasses import dataclass
from datetime import UTC, datetime

from service.console.places import Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One thing to do something about. `links`: text and path of the screens that show more."""

    title: str
    text: str
    since: datetime | None = None
    command: str = ""
    links: tuple[tuple[str, str], ...] = ()
    verbs: tuple[Verb, ...] = ()


def advised(meaning: str, advice: str | None) -> str:
    """Say what a code means, and what helps."""
    return f"{sentence(meaning)} {advice}" if advice else sentence(meaning)


def sentence(text: str) -> str:
    """Make a sentence of a finding's words."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


def moment(at: datetime) -> str:
    """Write a time as the ledger's sentences have it: the page shows it in the viewer's zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
