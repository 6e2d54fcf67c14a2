"""What a caller may see of notifications: which ones, and how much of each."""

import re
from dataclasses import replace

from service.access.caller import Caller
from service.access.scopes import sees_all, sees_payloads
from service.logs.logs import masked
from service.model.notification import Notification
from service.model.search import Search


def is_blind(caller: Caller) -> bool:
    """Return whether a caller sees no whole recipients of others."""
    return not sees_payloads(caller) or caller.kind == "test"


def permitted(which: Search, caller: Caller) -> Search | None:
    """Narrow a filter to what its caller may see; None: that is nothing.

    Whoever sees no whole recipients finds one only among what their own producer sent, which knows
    it: else a filter would tell to whom others send.
    """
    if sees_all(caller) and not (is_blind(caller) and which.recipient is not None):
        return which
    if which.producer not in (None, caller.producer):
        return None
    return replace(which, producer=caller.producer)


def is_own(producer: str | None, caller: Caller) -> bool:
    """Return whether a notification is its caller's own."""
    return producer is not None and producer == caller.producer


def visible(notification: Notification, caller: Caller) -> Notification:
    """Return what a caller may see of a notification. A test key sees payloads of tests alone."""
    if sees_payloads(caller) and (caller.kind != "test" or notification.is_test):
        return notification
    whole = notification.recipient
    return replace(
        notification,
        payload=None,
        recipient=masked(whole),
        last_error=own_words(whole, notification.last_error_code, notification.last_error),
        attempts=[
            replace(a, excerpt=own_words(whole, a.code, a.excerpt))
            for a in notification.attempts or ()
        ],
    )


def own_words(recipient: str, code: str | None, text: str | None) -> str | None:
    """Return what we say of an attempt, with its recipient masked; None: the receiver said it.

    A receiver repeats what it got: the path of its URL, the address in another spelling, the
    payload. Its status is the code, and tells no more than that.
    """
    if not text or (code and code.isdigit()):
        return None
    if not recipient:
        return text
    found = re.escape(recipient)
    if recipient.isascii() and recipient.isalnum():  # a word, which may be part of another
        found = rf"(?<![A-Za-z0-9]){found}(?![A-Za-z0-9])"
    return re.sub(found, lambda _: masked(recipient), text, flags=re.IGNORECASE)
