"""The operations of the OpenAPI document: what each path takes and answers."""

from datetime import datetime
from typing import Any

import msgspec

from service.access.scopes import ADMIN, CANCEL, OPERATE, READ, SEND
from service.api import examples
from service.api.examples import Examples
from service.api.parameters import (
    HOW_MANY,
    ID,
    KEY,
    KEY_ID,
    PAUSE_ID,
    TRACEPARENT,
    WAIT,
    query_parameters,
)
from service.limits import BATCH_ITEMS_MAX

READ_PROBLEMS = (400, 401, 403, 415, 417, 421, 429, 503)
MOVE_PROBLEMS = READ_PROBLEMS
BODY_PROBLEMS = (413, 422, *MOVE_PROBLEMS)


def paths(to_enqueue: Examples, now: datetime) -> dict[str, Any]:
    """Describe every path a client uses, with examples of bodies that are right at `now`."""
    return {
        "/notify": {"post": operation(
            SEND, "enqueue", "Deliver this to them", (409, *BODY_PROBLEMS),
            {"202": answer("Accepted: it is committed and will be delivered.", "Receipt",
                           headers={"Location": header("Where to ask what became of it.")}),
             "200": answer("The same request was accepted before: this is what it was answered.",
                           "Receipt", headers={
                               "Location": header("Where to ask what became of it."),
                               "Idempotency-Replayed": header("true.")})},
            parameters=[KEY, TRACEPARENT],
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("NewNotification"), "examples": to_enqueue}}})},
        "/notify/batch": {"post": operation(
            SEND, "enqueue_batch", "Deliver these to them, each accepted or refused by itself",
            BODY_PROBLEMS,
            {"200": answer("What became of each, in their order. A 503 is about the whole batch.",
                           "BatchReport", headers={"Retry-After": header(
                               "Seconds; when some of them are to be sent again.")})},
            parameters=[TRACEPARENT],
            requestBody={"required": True, "content": batches(to_enqueue)})},
        "/notifications/{id}": {"get": operation(
            READ, "find", "What became of it, attempt by attempt", (404, 422, *READ_PROBLEMS),
            {"200": answer("The notification.", "Detail")},
            parameters=[ID, WAIT])},
        "/notifications/{id}/explain": {"get": operation(
            READ, "explain", "Why it is where it is, in plain sentences", (404, *READ_PROBLEMS),
            {"200": answer("The reasons, the most important first.", "Explanation")},
            parameters=[ID])},
        "/notifications/{id}/cancel": {"post": operation(
            CANCEL, "cancel", "Call it off, if nobody is sending it", (404, 409, *MOVE_PROBLEMS),
            {"200": answer("It will not be sent, whether it was called off now or before.",
                           "Cancellation")},
            parameters=[ID])},
        "/notifications/{id}/send-again": {"post": operation(
            OPERATE, "send_again", "Send a copy of what has ended",
            (404, 409, 422, *MOVE_PROBLEMS),
            {"202": answer("Accepted: a new notification, whose `repeats` is this one.", "Receipt",
                           headers={"Location": header("Where to ask what became of it.")})},
            parameters=[ID])},
        "/notifications": {"get": operation(
            READ, "page", "List notifications, newest first", (422, *READ_PROBLEMS),
            {"200": answer("One page, no totals. Go on while there is a `next`.", "Page")},
            parameters=query_parameters())},
        "/cancel": {"post": operation(
            OPERATE, "cancel_many", "Call off all that are queued and match, or count them",
            BODY_PROBLEMS,
            {"200": answer("What was called off; what would be, for a dry run.", "CancelReport")},
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("CancelMany"), "examples": examples.cancelling(now)}}})},
        "/redrive": {"post": operation(
            OPERATE, "redrive", "Queue failed notifications again, or count them",
            (409, *BODY_PROBLEMS),
            {"200": answer("What was redriven; what would be, for a dry run.", "RedriveReport")},
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("Redrive"), "examples": examples.redriving(now)}}})},
        "/destinations/probe": {"post": operation(
            OPERATE, "probe", "Try a destination at once that workers keep notifications back from",
            (404, *BODY_PROBLEMS),
            {"202": answer("It will be tried within seconds: what will happen.", "ProbeReport")},
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("Probe"), "examples": examples.probing()}}})},
        "/pauses": {
            "get": operation(
                OPERATE, "pauses", "List what is paused, and how many wait", READ_PROBLEMS,
                {"200": answer("The pauses, newest first.", "PauseList")}),
            "post": operation(
                OPERATE, "pause", "Pause a destination, a channel or a producer",
                (404, *BODY_PROBLEMS),
                {"201": answer("It is paused: what it covers is not sent from now on. What was "
                               "being sent still is, and so is what names the host of a paused "
                               "destination in letters beyond ASCII.", "PauseView"),
                 "200": answer("It was paused already, and stays as it is.", "PauseView")},
                requestBody={"required": True, "content": {"application/json": {
                    "schema": ref("NewPause"), "examples": examples.pausing()}}})},
        "/pauses/{id}/resume": {"post": operation(
            OPERATE, "resume", "End a pause: what waits comes back, bit by bit",
            (404, *MOVE_PROBLEMS),
            {"200": answer("It has ended, now or before.", "PauseView")},
            parameters=[PAUSE_ID])},
        "/destinations": {"get": operation(
            OPERATE, "destinations", "Where notifications went in the last hour, and how that was",
            (422, *READ_PROBLEMS),
            {"200": answer("The busiest first.", "DestinationList")},
            parameters=[HOW_MANY])},
        "/keys": {
            "get": operation(
                ADMIN, "keys", "List the API keys, without their secrets", READ_PROBLEMS,
                {"200": answer("The keys, newest first.", "KeyList")}),
            "post": operation(
                ADMIN, "create_key", "Make an API key", (409, *BODY_PROBLEMS),
                {"201": answer("The key, which is shown this once.", "KeyMade")},
                requestBody={"required": True, "content": {"application/json": {
                    "schema": ref("NewKey"), "examples": examples.making_keys()}}})},
        "/keys/{id}/revoke": {"post": operation(
            ADMIN, "revoke_key", "End an API key for good", (404, *MOVE_PROBLEMS),
            {"200": answer("It has ended: the service takes it for some seconds at most.",
                           "KeyView")},
            parameters=[KEY_ID])},
        "/keys/{id}/rotate": {"post": operation(
            ADMIN, "rotate_key", "Make a successor, and let the old key end after a grace",
            (404, 409, *BODY_PROBLEMS),
            {"201": answer("The successor, which is shown this once.", "KeyMade")},
            parameters=[KEY_ID],
            requestBody={"required": True, "content": {"application/json": {
                "schema": ref("Rotation"), "examples": examples.rotating()}}})},
        "/healthz": {"get": operation(
            None, "alive", "Is the process running", (), {"200": {"description": "It is."}})},
        "/readyz": {"get": operation(
            None, "ready", "Can work be done", (),
            {"200": answer("Yes.", "Readiness"), "503": answer("Not yet.", "Readiness")})},
        "/metrics": {"get": operation(
            None, "metrics", "For Prometheus", (), {"200": {"description": "The metrics."}})},
    }  # fmt: skip


def batches(to_enqueue: Examples) -> dict[str, Any]:
    """Describe the body of a batch: an array, or one notification a line."""
    bodies = [example["value"] for example in to_enqueue.values()]
    text = "".join(f"{msgspec.json.encode(body).decode()}\n" for body in bodies)
    array = {"type": "array", "items": ref("NewNotification"), "maxItems": BATCH_ITEMS_MAX}
    line = (
        "One NewNotification a line; a wrong line costs only itself, and blank ones do not count."
    )
    return {
        "application/json": {"schema": array, "examples": {"array": {"value": bodies}}},
        "application/x-ndjson": {
            "schema": {"type": "string", "minLength": 1, "description": line},
            "examples": {"lines": {"value": text}},
        },
    }


def operation(
    need: str | None,
    name: str,
    summary: str,
    problems: tuple[int, ...],
    responses: dict[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """Describe one method of one path. `need`: the scope that its key must have, if any."""
    failures = {str(status): {"$ref": f"#/components/responses/{status}"} for status in problems}
    described = {"operationId": name, "summary": summary, "responses": responses | failures}
    return described | keyed(need) | more


def keyed(need: str | None) -> dict[str, Any]:
    """Say which key an operation needs: but for the keys themselves, none while there are none."""
    if need is None:
        return {"security": []}
    security: list[dict[str, list[str]]] = [{"key": []}]
    if need != ADMIN:
        security.append({})
    return {"description": f"Needs a key with scope {need}.", "security": security}


def answer(description: str, schema: str, **more: Any) -> dict[str, Any]:
    """Describe one JSON answer."""
    content = {"application/json": {"schema": ref(schema)}}
    return {"description": description, "content": content, **more}


def header(description: str) -> dict[str, Any]:
    """Describe one header."""
    return {"description": description, "schema": {"type": "string"}}


def ref(name: str) -> dict[str, str]:
    """Refer to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}
