"""What is played instead of sent: rows of test keys, and recipients at simulator.notify. Pure.

    ok@         https://simulator.notify/ok          sent
    temp-fail@  https://simulator.notify/temp-fail   temporary: tried again as RETRY_SCHEDULE says
    perm-fail@  https://simulator.notify/perm-fail   permanent
    slow@       https://simulator.notify/slow        sent after SLOW_S

`ok+anything@` and `/ok/anything?…` are played as `ok`, and every other word is sent, too. The host
is this one alone, in any spelling that would lead to it: `a.simulator.notify` is somebody else's.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from service.model.words import Outcome
from service.names.origin import AUTHORITY, KNOWN_MAX, server
from workers.channels.channel import Answer, Channel, Play
from workers.channels.email import domain
from workers.claim import Claim, Verdict

HOST = "simulator.notify"
SLOW_S = 5.0
OUTCOMES = {"temp-fail": Outcome.TEMPORARY, "perm-fail": Outcome.PERMANENT}
# What a receiver would have answered; nobody answers a line of the channel `log`.
CODES = {
    "webhook": {Outcome.SENT: "200", Outcome.TEMPORARY: "503", Outcome.PERMANENT: "410"},
    "email": {Outcome.SENT: "250", Outcome.TEMPORARY: "451", Outcome.PERMANENT: "550"},
}
FIRST_SEGMENT = re.compile(r"/*([^/?#]*)")


@dataclass(frozen=True, slots=True)
class Simulated:
    """A channel whose sends are played: all that it does before a transfer is done."""

    channel: Channel
    at_once_max = None

    def destination(self, claim: Claim) -> str:
        """Return a destination for each word: slow ones take no other's share of the slots."""
        return f"{HOST}/{word(claim.recipient)}"

    def domain(self, claim: Claim) -> str:
        """Return nothing: it is never asked for."""
        return ""

    def prepare(self, claim: Claim) -> Play | Verdict:
        """Say how it ends; what could not be sent fails as it would without us."""
        made = self.channel.prepare(claim)
        return made if isinstance(made, Verdict) else play(claim)

    def judge(self, answer: Answer) -> Verdict:
        """Judge as the channel does; nothing answers what is played."""
        return self.channel.judge(answer)


def is_played(claim: Claim) -> bool:
    """Return whether a claim must not leave this process."""
    return claim.is_test or host(claim.recipient) == HOST


def play(claim: Claim) -> Play:
    """Return how a claim ends, and after how long."""
    role = word(claim.recipient)
    outcome = OUTCOMES.get(role, Outcome.SENT)
    code = CODES.get(claim.channel, {}).get(outcome)
    verdict = Verdict(outcome=outcome, code=code, excerpt="simulated")
    return Play(verdict, SLOW_S if role == "slow" else 0.0)


def word(recipient: str) -> str:
    """Return which of the words is played; "": none, as it is a test's ordinary recipient."""
    if host(recipient) != HOST:
        return ""
    if authority := AUTHORITY.match(recipient):
        segment = FIRST_SEGMENT.match(recipient, authority.end())
        name = segment[1].lower() if segment else ""
    else:
        name = recipient.rpartition("@")[0].partition("+")[0].lower()
    return name if name in ("slow", *OUTCOMES) else "ok"


@lru_cache(KNOWN_MAX)
def host(recipient: str) -> str:
    """Return the host of a URL, or the domain of an address, in one spelling; "": it has neither.

    What has a scheme is a URL, so that no @ behind its host counts.
    """
    if AUTHORITY.match(recipient):
        found = server(recipient)
        return (found.name or "").rstrip(".") if found else ""
    _, at, name = recipient.rpartition("@")
    return domain(name) if at else ""
