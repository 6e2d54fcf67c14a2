"""What people read of each channel in /openapi.json, in problems and in the help of `notify`.

Each `notify --help` reads it, so it imports nothing that takes time.
"""

from collections.abc import Iterable
from typing import TypedDict


class Words(TypedDict, total=False):
    """The words for one channel: parts of the sentences below, which leave out what is missing."""

    recipient: str
    recipient_in_advice: str
    recipient_in_help: str
    payload: str
    payload_in_advice: str
    needs: tuple[str, ...]  # settings; without the first the edge refuses the channel


WORDS: dict[str, Words] = {
    "webhook": {
        "recipient": "a URL",
        "recipient_in_advice": "a URL",
        "recipient_in_help": "a URL",
        "payload": "the body of the webhook",
    },
    "email": {
        "recipient": "an address",
        "recipient_in_advice": "one address",
        "recipient_in_help": "a mail address",
        "payload": "for email an EmailPayload",
        "payload_in_advice": "subject, and text or html or both",
        "needs": ("SMTP_URL", "MAIL_FROM"),
    },
    "log": {"recipient_in_help": "anything (log)"},
}


def either(words: Iterable[str]) -> str:
    """Join as in `webhook, email or log`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def recipients() -> str:
    """Say what each recipient is: `a URL (webhook) or an address (email)`."""
    return either(f"{w['recipient']} ({name})" for name, w in WORDS.items() if "recipient" in w)


def recipients_in_advice() -> str:
    """Say it to somebody whose recipient is wrong: `a URL for webhook, one address for email`."""
    return ", ".join(
        f"{w['recipient_in_advice']} for {name}"
        for name, w in WORDS.items()
        if "recipient_in_advice" in w
    )


def recipients_in_help() -> str:
    """Say it in the help of a command: `a URL, a mail address, or anything (log)`."""
    *others, last = [w["recipient_in_help"] for w in WORDS.values() if "recipient_in_help" in w]
    return f"{', '.join(others)}, or {last}"


def payloads() -> str:
    """Say what each payload is: `the body of the webhook; for email an EmailPayload`."""
    return "; ".join(w["payload"] for w in WORDS.values() if "payload" in w)


def payloads_in_advice() -> str:
    """Say it to somebody whose payload is wrong: `For email: subject, and text or html or both.`"""
    return " ".join(
        f"For {name}: {w['payload_in_advice']}."
        for name, w in WORDS.items()
        if "payload_in_advice" in w
    )


def needs_in_advice() -> str:
    """Say which settings a channel needs: `email needs SMTP_URL and MAIL_FROM`."""
    return "; ".join(
        f"{name} needs {' and '.join(w['needs'])}" for name, w in WORDS.items() if "needs" in w
    )


CHANNELS = tuple(WORDS)
EITHER = either(CHANNELS)
