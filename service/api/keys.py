"""GET and POST /keys, POST /keys/{id}/revoke and /rotate: the keys, for who may `admin`."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web
from loguru import logger
from msgspec import Meta

from service.access import rights
from service.access.caller import caller_of
from service.access.key import ApiKey, Secret, minted
from service.api.decoding import Body, Timestamp
from service.api.enqueue import read_body
from service.api.json_answer import json_response
from service.api.storable import unstorable
from service.api.views import KeyList, KeyMade, KeyView
from service.clock import Clock
from service.http.problems import Fault, Problem
from service.ledger.key_store import By, KeyStore, Rights
from service.limits import PRODUCER_MAX_CHARS
from service.model.words import Channel

SHOWN_MAX = 1000
GRACE_S = 86_400
GRACE_MAX_S = 30 * 86_400


Scope = Annotated[str, Meta(extra_json_schema={"enum": list(rights.SCOPES)})]


class NewKey(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a new key may do."""

    producer: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=PRODUCER_MAX_CHARS,
            description=f"Whose it is: 1 to {PRODUCER_MAX_CHARS} printable characters.",
            extra_json_schema={"pattern": f"^{rights.PRODUCER.pattern}$"},
        ),
    ]
    scopes: Annotated[
        Annotated[list[Scope], Meta(min_length=1, max_length=len(rights.SCOPES))] | None,
        Meta(description=f"Use some of {', '.join(rights.SCOPES)}; send if left out."),
    ] = None
    kind: Annotated[
        Annotated[str, Meta(extra_json_schema={"enum": list(rights.KINDS)})] | None,
        Meta(description="Use live (the default), test or team."),
    ] = None
    channels: Annotated[
        Annotated[list[Channel], Meta(min_length=1, max_length=len(Channel))] | None,
        Meta(description="Use some of the channels; all if left out."),
    ] = None
    recipients: Annotated[
        Annotated[list[str], Meta(min_length=1, max_length=rights.RECIPIENTS_MAX)] | None,
        Meta(description="Such as *@example.org or https://example.org/*; all if left out."),
    ] = None
    rate_per_s: Annotated[
        Annotated[float, Meta(ge=rights.RATE_MIN_PER_S, le=rights.RATE_MAX_PER_S)] | None,
        Meta(
            description=f"Use {rights.RATE_MIN_PER_S:g} to {rights.RATE_MAX_PER_S:g} requests a "
            "second, for each process of the API; no limit if left out."
        ),
    ] = None
    burst: Annotated[
        Annotated[int, Meta(ge=1, le=rights.BURST_MAX)] | None,
        Meta(
            description=f"Use 1 to {rights.BURST_MAX} requests at once, beside a rate; those of a "
            "second if left out."
        ),
    ] = None
    expires_at: Annotated[
        Timestamp | None, Meta(description="Use RFC 3339 with an offset; never if left out.")
    ] = None

    def rights(self) -> Rights:
        """Return what the ledger keeps."""
        return Rights(
            producer=self.producer,
            kind=self.kind or "live",
            scopes=list(self.scopes or ["send"]),
            channels=None if self.channels is None else [str(c) for c in self.channels],
            recipients=self.recipients,
            rate_per_s=self.rate_per_s,
            burst=self.burst,
            expires_at=self.expires_at,
        )


class Rotation(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How long the old key goes on beside the new one."""

    grace_s: Annotated[
        Annotated[int, Meta(ge=0, le=GRACE_MAX_S)] | None,
        Meta(description=f"Use 0 to {GRACE_MAX_S} seconds; a day if left out."),
    ] = None


NEW_KEY, ROTATION = Body(NewKey), Body(Rotation)


class KeysHandler:
    """Make, list and end keys. The answer with a new one is the only place that shows it."""

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._now = clock.now

    async def list(self, request: web.Request) -> web.Response:
        """Answer all keys, the newest first."""
        keys = await self._keys.listed()
        return json_response(KeyList([shown(key) for key in keys[:SHOWN_MAX]]))

    async def create(self, request: web.Request) -> web.Response:
        """Answer 201 with a new key."""
        body = await read_body(request)
        now = datetime.fromtimestamp(self._now(), UTC)
        asked = NEW_KEY.read(body, lambda new: (new, list(faults(body, new, now))))
        secret = minted()
        if code := await self._keys.create(secret, asked.rights(), by(request)):
            raise Problem(code)
        return await self._made(secret)

    async def revoke(self, request: web.Request) -> web.Response:
        """Answer 200 with the key, which has ended; ignore the body."""
        id = request.match_info["id"]
        if not is_id(id) or not await self._keys.revoke(id, by(request)):
            raise Problem("key_not_found")
        logger.info("key_revoked", key=id)
        [key] = await self._keys.listed(id)
        return json_response(shown(key))

    async def rotate(self, request: web.Request) -> web.Response:
        """Answer 201 with the successor of a key."""
        id, secret = request.match_info["id"], minted()
        asked = ROTATION.read(await read_body(request), lambda rotation: (rotation, []))
        grace = timedelta(seconds=GRACE_S if asked.grace_s is None else asked.grace_s)
        if not is_id(id):
            raise Problem("key_not_found")
        if code := await self._keys.rotate(id, secret, grace, by(request)):
            raise Problem(code)
        return await self._made(secret)

    async def _made(self, secret: Secret) -> web.Response:
        logger.info("key_made", key=secret.id)
        [key] = await self._keys.listed(secret.id)
        response = json_response(KeyMade(key=str(secret), **msgspec.structs.asdict(shown(key))))
        response.set_status(201)
        response.headers["Cache-Control"] = "no-store"
        return response


def faults(body: bytes, new: NewKey, now: datetime) -> list[Fault]:
    """Check what types cannot."""
    if refused := unstorable(body, msgspec.Raw(b"null")):
        return refused
    asked = new.rights()
    if asked.expires_at is not None and asked.expires_at <= now:
        return [Fault("invalid_field", "Use a time in the future.", "/expires_at")]
    found = rights.faults(
        producer=asked.producer, kind=asked.kind, scopes=asked.scopes, channels=asked.channels,
        recipients=asked.recipients, rate_per_s=asked.rate_per_s, burst=asked.burst,
    )  # fmt: skip
    return [Fault("invalid_field", sentence, f"/{field}") for field, sentence in found]


def is_id(text: str) -> bool:
    """Return whether a text may be the id of a key: any that PostgreSQL takes."""
    return "\0" not in text and len(text) <= PRODUCER_MAX_CHARS


def by(request: web.Request) -> By:
    """Say for the audit who asks."""
    caller = caller_of(request)
    return By(caller.producer, caller.key_id)


def shown(key: ApiKey) -> KeyView:
    """Show a key without its secret's hash."""
    return KeyView(**{field: getattr(key, field) for field in KeyView.__struct_fields__})
