"""What each scope of a key allows.

| scope            | allows                                                                       |
|------------------|------------------------------------------------------------------------------|
| `send`           | POST /notify and /notify/batch; cancel what its own producer sent            |
| `send:<channel>` | the same, on one channel                                                     |
| `read`           | GET /notifications and one: its own producer's, masked, no payload or answer |
| `read:payload`   | `read`, with whole recipients, payloads and answers; a test key's: of tests  |
| `operate`        | `read` and the operators' verbs, of every producer                            |
| `admin`          | everything, and /keys                                                        |
"""

from service.access.caller import Caller

SEND, READ, PAYLOAD, OPERATE, ADMIN = "send", "read", "read:payload", "operate", "admin"
# What routes ask for besides: any key; either of two scopes, of which the first is for one's own.
ANY, CANCEL = "any", "send or operate"
IMPLIED_BY = {
    SEND: frozenset({SEND}),
    CANCEL: frozenset({SEND, OPERATE}),
    READ: frozenset({READ, PAYLOAD, OPERATE}),
    PAYLOAD: frozenset({PAYLOAD}),
    OPERATE: frozenset({OPERATE}),
    ADMIN: frozenset({ADMIN}),
}
FOR_ALL_PRODUCERS = frozenset({OPERATE, ADMIN})


def may(caller: Caller, need: str) -> bool:
    """Return whether a caller has a scope, or one that implies it; SEND: on some channel."""
    if ADMIN in caller.scopes or need == ANY:
        return True
    if not caller.scopes.isdisjoint(IMPLIED_BY[need]):
        return True
    is_on_some = need in (SEND, CANCEL)
    return is_on_some and any(scope.startswith("send:") for scope in caller.scopes)


def may_send_on(caller: Caller, channel: str) -> bool:
    """Return whether its scopes let a caller send on a channel."""
    return not caller.scopes.isdisjoint((SEND, f"send:{channel}", ADMIN))


def sees_all(caller: Caller) -> bool:
    """Return whether a caller sees the notifications of every producer."""
    return not caller.scopes.isdisjoint(FOR_ALL_PRODUCERS)


def sees_payloads(caller: Caller) -> bool:
    """Return whether a caller sees payloads and whole recipients."""
    return not caller.scopes.isdisjoint((PAYLOAD, ADMIN))
