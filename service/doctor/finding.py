"""What a look at one thing found, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `advice` empty: it is fine.

    `notify doctor --json` prints the fields by these names.
    """

    what: str
    found: str
    advice: str = ""


def judged(what: str, found: str, fine: bool, advice: str) -> Finding:
    """Make a finding, with the advice only if it is not fine."""
    return Finding(what, found, "" if fine else advice)
