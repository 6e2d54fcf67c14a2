"""Every kind of error that a client can get: its code, its status, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.channels.words import (
    EITHER,
    needs_in_advice,
    payloads_in_advice,
    recipients_in_advice,
)
from service.limits import (
    BATCH_BODY_BYTES_MAX,
    BATCH_ITEMS_MAX,
    BODY_BYTES_MAX,
    DIGITS_MAX,
    IDEMPOTENCY_KEY_MAX_CHARS,
    MAX_ATTEMPTS_MAX,
    NESTING_MAX,
    PAYLOAD_BYTES_MAX,
    REFERENCE_MAX_CHARS,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code means: the HTTP status, a title that never changes, and what to do about it."""

    status: int
    title: str
    advice: str


# Codes are part of the API: add, never rename.
KINDS: Mapping[str, Kind] = {
    "empty_body": Kind(400, "The body is empty", "Send a JSON object."),
    "invalid_json": Kind(
        400, "The body is not JSON", "Check it with a JSON parser; NaN and Infinity are not JSON."),
    "invalid_encoding": Kind(400, "The body is not UTF-8", "Encode the body as UTF-8."),
    "unreadable_body": Kind(
        400, "The body ended early or could not be decoded",
        "Check Content-Length and Transfer-Encoding."),
    "malformed_request": Kind(
        400, "The request is not HTTP as we read it",
        "Check the request line, the headers and their length, and that the port speaks no TLS."),
    "key_missing": Kind(
        401, "A key is needed",
        "Send Authorization: Bearer nk_…, a key that `notify keys create` or an admin has made."),
    "key_invalid": Kind(
        401, "The key is not valid",
        "Send one header Authorization: Bearer nk_…. The key may be mistyped, revoked or expired: "
        "ask who made it."),
    "scope_missing": Kind(
        403, "The key may not do this", "Use a key that has the scope."),
    "channel_not_allowed": Kind(
        403, "The key may not send on this channel", "Use one of the channels it was made for."),
    "recipient_not_allowed": Kind(
        403, "The key may not send to this recipient",
        "Use a recipient on the key's list, or ask its admin for another key."),
    "csrf_token_invalid": Kind(
        403, "The session's token is missing or wrong",
        "Reload the page of the console. A program sends a key in Authorization, and no cookie."),
    "cross_site_request": Kind(
        403, "A web page of another origin asks",
        "Ask from a program, or from /docs. Behind a proxy, pass the browser's Host on, or name it "
        "in ALLOWED_HOSTS."),
    "not_found": Kind(404, "There is nothing at this path", "See the paths on this page."),
    "notification_not_found": Kind(
        404, "There is no such notification",
        "Check the id. Notifications are deleted some weeks after they were created."),
    "key_not_found": Kind(
        404, "There is no such key", "Check the id: of a key nk_<id>_… it is the middle part. What "
        "is revoked or expired cannot be rotated."),
    "pause_not_found": Kind(
        404, "There is no such pause",
        "See GET /pauses. What was resumed leaves that list when nothing waits for it any more."),
    "destination_not_kept_back": Kind(
        404, "Nothing keeps that destination back",
        "No living worker has a breaker, a pace or a pause for it: what is for it is sent in its "
        "turn. Check the spelling; `notify explain ID` names the destination of one."),
    "method_not_allowed": Kind(
        405, "This path has no such method", "Use one of those in the Allow header."),
    "already_sending": Kind(
        409, "It is being sent",
        "An attempt may be under way, and cannot be called back. Ask again when it has ended: what "
        "waits for another attempt can be cancelled."),
    "already_settled": Kind(
        409, "It has come to its end", "There is nothing left to cancel."),
    "not_ended": Kind(
        409, "It has not come to its end",
        "It is sent anyway. Wait for its end, or cancel it first."),
    "payload_emptied": Kind(
        409, "Its payload was emptied",
        "There is nothing to send any more: enqueue it anew. Nothing was redriven."),
    "notification_locked": Kind(
        409, "Somebody is moving it at this moment", "Ask again."),
    "too_many_keys": Kind(
        409, "The producer has two valid keys of this kind and scopes",
        "Revoke one of them first: two are for changing from one to the next."),
    "idempotency_key_in_flight": Kind(
        409, "A request with this idempotency key is being accepted at this moment",
        "Try again after Retry-After, with the same key: then there is an answer."),
    "body_too_large": Kind(
        413, f"The body is larger than {BODY_BYTES_MAX // 1024} KiB",
        "Send a link to what is larger."),
    "batch_too_large": Kind(
        413,
        f"The batch is larger than {BATCH_BODY_BYTES_MAX // 1024**2} MiB, or has more than"
        f" {BATCH_ITEMS_MAX} items",
        "Send it in parts."),
    "unsupported_media_type": Kind(
        415, "The body is not declared as JSON in UTF-8", "Send Content-Type: application/json."),
    "unsupported_content_encoding": Kind(
        415, "The body is compressed", "Send it as it is, without Content-Encoding."),
    "expectation_failed": Kind(
        417, "The Expect header asks for something unknown",
        "Leave it out, or send Expect: 100-continue."),
    "foreign_host": Kind(
        421, "The service does not answer to this Host",
        "Use its address, or localhost; its operator may name others in ALLOWED_HOSTS."),
    "not_an_object": Kind(422, "The body is not a JSON object", "Send an object."),
    "not_an_array": Kind(
        422, "The body is not a JSON array",
        "Send an array of notifications, or one a line as application/x-ndjson."),
    "missing_field": Kind(422, "A required field is missing", "Add the field at the pointer."),
    "unknown_field": Kind(
        422, "There is no such field", "Correct its name, or move it into payload."),
    "invalid_channel": Kind(422, "The channel is wrong", f"Use {EITHER}."),
    "channel_not_configured": Kind(
        422, "This service cannot deliver on the channel",
        f"Ask its operator to configure it: {needs_in_advice()}."),
    "invalid_recipient": Kind(
        422, "The recipient is wrong", f"Use {recipients_in_advice()}."),
    "address_not_allowed": Kind(
        422, "Webhooks to this address are not sent",
        "Use a public address, or ask the operator of this service to allow it."),
    "invalid_payload": Kind(
        422, "The payload is wrong", payloads_in_advice()),
    "payload_too_large": Kind(
        422, f"The payload is larger than {PAYLOAD_BYTES_MAX // 1024} KiB as PostgreSQL writes it",
        "Send a link to what is larger."),
    "invalid_priority": Kind(422, "The priority is wrong", "Use 0 (urgent) to 3 (bulk)."),
    "invalid_send_at": Kind(
        422, "send_at is wrong", "Use RFC 3339 with an offset, within the service's horizon."),
    "invalid_expires_at": Kind(
        422, "expires_at is wrong",
        "Use RFC 3339 with an offset, in the future and after send_at."),
    "invalid_max_attempts": Kind(422, "max_attempts is wrong", f"Use 1 to {MAX_ATTEMPTS_MAX}."),
    "invalid_reference": Kind(
        422, "The reference is wrong",
        f"Use 1 to {REFERENCE_MAX_CHARS} characters, without control characters."),
    "invalid_idempotency_key": Kind(
        422, "The idempotency key is wrong",
        f"Use 1 to {IDEMPOTENCY_KEY_MAX_CHARS} characters, without control characters, in the "
        "header Idempotency-Key or in the field."),
    "idempotency_key_reused": Kind(
        422, "The idempotency key was used for another request",
        "Use a new key for a new request; repeat a request with its key only unchanged."),
    "nul_character": Kind(
        422, "A string contains U+0000", "Remove it: PostgreSQL cannot store it."),
    "lone_surrogate": Kind(
        422, "A string contains half of a surrogate pair",
        "Encode characters beyond U+FFFF as UTF-8 or as both halves."),
    "number_out_of_range": Kind(
        422, "A number is out of range",
        f"Keep to the range of a double and to {DIGITS_MAX} digits, or send a string."),
    "too_deeply_nested": Kind(
        422, "The payload is nested too deeply",
        f"Keep to {NESTING_MAX} levels of arrays and objects."),
    "invalid_field": Kind(422, "A field is wrong", "The detail says what is allowed."),
    "ids_or_filter": Kind(
        422, "It is not said which notifications are meant",
        "Give either ids, or a filter with one field at least."),
    "refused_by_database": Kind(
        422, "The database refused the notification", "The detail says why."),
    "dropped_by_database": Kind(
        422, "The database kept nothing of the notification",
        "A trigger or rule of the database's own dropped it: ask its operator."),
    "unknown_parameter": Kind(422, "There is no such query parameter", "Correct its name."),
    "invalid_parameter": Kind(
        422, "A query parameter is wrong", "The detail says what is allowed."),
    "rate_limited": Kind(
        429, "The key goes faster than it may", "Try again after Retry-After."),
    "internal_error": Kind(
        500, "Something went wrong here",
        "It was logged. Trying again may create a second notification, unless the request has an "
        "idempotency key."),
    "database_unavailable": Kind(
        503, "The database cannot be reached",
        "Try again after Retry-After, with the same idempotency key. It may have been accepted all "
        "the same, if the answer of the database was lost."),
    "overloaded": Kind(
        503, "More is waiting than can be done in time", "Try again after Retry-After."),
    "too_many_waiting": Kind(
        503, "As many requests wait for an end as may",
        "Try again after Retry-After, or ask without wait."),
}  # fmt: skip
