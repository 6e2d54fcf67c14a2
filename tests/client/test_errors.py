"""Every error passes between processes, and through copies, as it is."""

import copy
import pickle
from typing import Any
from uuid import UUID

import pytest
from notification_client import Fault, NotificationError
from notification_client.django.mail import NotCarried
from notification_client.errors import Problem, Refused, SomeRefused


def kinds_of(kind: type[NotificationError]) -> set[type[NotificationError]]:
    """Give a class and all that are derived from it."""
    return {kind}.union(*(kinds_of(derived) for derived in kind.__subclasses__()))


KINDS = sorted(
    (kind for kind in kinds_of(NotificationError) if kind.__module__.startswith("notification_")),
    key=lambda kind: kind.__name__,
)
PROBLEM: Any = {
    "code": "overloaded", "type": "/docs#overloaded", "title": "t", "status": 503, "detail": "d",
    "errors": [Fault("missing", "channel is missing", "/channel")], "retry_after": 1.5,
}  # fmt: skip


def made(kind):
    """Make one that says all that its class can say."""
    if issubclass(kind, Problem):
        error = kind(**PROBLEM)
    elif issubclass(kind, Refused):
        error = kind("refused", rule="channel_is_known", column="channel", hint="Use log.")
    elif issubclass(kind, SomeRefused):
        error = kind([UUID(int=1), Problem(**PROBLEM)])
    elif issubclass(kind, NotCarried):
        error = kind(["an attachment"])
    else:
        error = kind("no answer")
    error.idempotency_key = "k"
    error.idempotency_keys = ("k", "l")
    return error


def content(error):
    """Give all of an error as what can be compared: two errors are equal only if they are one."""
    own = {name: value for name, value in vars(error).items() if name != "results"}
    results = [
        content(result) if isinstance(result, Problem) else result
        for result in getattr(error, "results", ())
    ]
    return type(error), error.args, str(error), own, results


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_is_pickled_whole(kind, protocol):
    error = made(kind)
    assert content(pickle.loads(pickle.dumps(error, protocol))) == content(error)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_an_error_is_copied_whole(kind, copied):
    error = made(kind)
    assert content(copied(error)) == content(error)


def test_those_with_an_init_of_their_own_are_among_them():
    assert {Problem, Refused, SomeRefused, NotCarried} < set(KINDS)
