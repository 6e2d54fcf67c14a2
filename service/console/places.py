"""Destinations as pages show them: their names, their paths, and what can be done. Pure."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from service.model.pause import Pause

ALIVE = timedelta(seconds=30)  # a worker that was not heard of for longer is gone
WAITING_MAX = 1000  # of what waits for a pause no more are counted: this is read each 3 s
CAN_BE_PROBED = ("breaker", "pace", "url")
WAITS = "What is for it waits in the queue, and loses no attempt, until somebody resumes it."
BEYOND_ASCII = (
    " What is spelled beyond ASCII goes out nevertheless: pause its channel or producer as well."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A button: a request to the API. `ask`: what is asked before; `done`: what is said after.

    `look`: its class in the style sheet, "" for the one that stands out.
    """

    name: str
    url: str
    done: str
    body: dict[str, Any] = field(default_factory=dict)
    ask: str = ""
    look: str = ""


def name_of(channel: str, destination: str) -> str:
    """Name a destination; an empty one stands for all others, or for the mail server of all."""
    if destination:
        return destination
    return "the mail server, and other domains" if channel == "email" else f"other {channel}s"


def path_of(channel: str, destination: str) -> str:
    """Return the path of the screen of one destination."""
    return f"/console/destinations?{urlencode({'channel': channel, 'name': destination})}"


def holds(pause: Pause, channel: str, destination: str) -> bool:
    """Return whether a pause that is in force holds all that goes to a destination."""
    if pause.resumed_at is not None:
        return False
    if pause.kind == "channel":
        return pause.name == channel
    return pause.kind == "destination" and (pause.channel, pause.name) == (channel, destination)


def probe(channel: str, destination: str) -> Verb:
    """Make the button that lets one notification ask whether a destination is back."""
    return Verb(
        name="Probe now",
        url="/destinations/probe",
        body={"channel": channel, "destination": destination},
        done="Asked. Each worker that keeps it back lets one notification through within 2 s.",
    )


def pause(channel: str, destination: str) -> Verb | None:
    """Make the button that pauses a destination; None: the mail server of all is none."""
    if not destination:
        return None
    return Verb(
        name="Pause",
        url="/pauses",
        body={"kind": "destination", "channel": channel, "name": destination},
        ask=f"Pause {destination}? {what_waits(destination)}",
        done=f"{destination} is paused: what is for it waits.",
    )


def what_waits(destination: str) -> str:
    """Say what a pause of a destination does, and what it does not."""
    return f"{WAITS}{BEYOND_ASCII}" if "xn--" in destination else WAITS


def resume(paused: Pause) -> Verb | None:
    """Make the button that ends a pause; None: it has been pressed."""
    if paused.resumed_at is not None:
        return None
    return Verb(
        name="Resume",
        url=f"/pauses/{paused.id}/resume",
        done=f"{paused.name} is resumed: what has waited goes out bit by bit.",
    )
