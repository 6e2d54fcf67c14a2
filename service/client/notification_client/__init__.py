"""Send notifications in your own PostgreSQL transaction, or over HTTP."""

from notification_client._http import Client
from notification_client._notification import HttpOptions, Options
from notification_client._sql import send, send_many
from notification_client.errors import (
    Dropped,
    Fault,
    Invalid,
    KeyInFlight,
    KeyReused,
    NoAnswer,
    NotAuthorized,
    NotFound,
    NotificationError,
    NotUnderstood,
    Problem,
    RateLimited,
    Refused,
    SomeRefused,
    TooLate,
    Unavailable,
)

__all__ = [
    "Client",
    "Dropped",
    "Fault",
    "HttpOptions",
    "Invalid",
    "KeyInFlight",
    "KeyReused",
    "NoAnswer",
    "NotAuthorized",
    "NotFound",
    "NotUnderstood",
    "NotificationError",
    "Options",
    "Problem",
    "RateLimited",
    "Refused",
    "SomeRefused",
    "TooLate",
    "Unavailable",
    "send",
    "send_many",
]
