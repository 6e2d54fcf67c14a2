"""How notifications are shown: as JSON, with what a caller may see of them."""

from typing import Any

from aiohttp import web

from service.access.caller import Caller, caller_of
from service.api.json_answer import json_response
from service.api.sight import visible
from service.api.views import AttemptView, Detail, Links, Summary
from service.ledger.read_store import ATTEMPTS_MAX
from service.model.notification import Notification

SHARED_FIELDS = [field for field in Summary.__struct_fields__ if field != "links"]


def shown(request: web.Request, notification: Notification) -> web.Response:
    """Answer what the caller may see of a notification."""
    return json_response(detail(visible(notification, caller_of(request))))


def summary(notification: Notification, caller: Caller) -> Summary:
    """Show what a caller may see of a notification in a list."""
    return Summary(**shared(visible(notification, caller)))


def detail(notification: Notification) -> Detail:
    """Show all of a notification. Its words are not checked: newer releases may write others."""
    fields = AttemptView.__struct_fields__
    attempts = [
        AttemptView(**{f: getattr(a, f) for f in fields}) for a in notification.attempts or ()
    ]
    return Detail(
        **shared(notification),
        payload=notification.payload,
        attempts=attempts[-ATTEMPTS_MAX:],
        has_older_attempts=len(attempts) > ATTEMPTS_MAX,
    )


def shared(notification: Notification) -> dict[str, Any]:
    """Return what a list shows of a notification, by field."""
    values = {field: getattr(notification, field) for field in SHARED_FIELDS}
    return {**values, "links": Links(f"/notifications/{notification.id}")}
