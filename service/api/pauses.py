"""GET and POST /pauses, POST /pauses/{id}/resume: what is not sent for now."""

from dataclasses import asdict
from typing import Annotated

import msgspec
from aiohttp import web
from loguru import logger
from msgspec import Meta

from service.api.decoding import Body
from service.api.enqueue import read_body
from service.api.json_answer import json_response
from service.api.keys import by
from service.api.operate import ANYBODY
from service.api.storable import unstorable
from service.api.views import PauseList, PauseView
from service.channels.words import EITHER
from service.errors import Refused
from service.http.problems import Fault, Problem, invalid
from service.ledger.key_store import By
from service.ledger.pause_store import PauseStore
from service.model.pause import Pause, PauseKind
from service.model.words import Channel
from service.text.checks import CONTROL, WITHOUT_CONTROL

NAME_MAX_CHARS = 2048
PRODUCER_OF_ROW_MAX_CHARS = 255  # of a key it is shorter
REASON_MAX_CHARS = 255
ID_DIGITS_MAX = 18  # of a bigint


class NewPause(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be paused. What is paused already stays as it is."""

    kind: Annotated[PauseKind, Meta(description="Use destination, channel or producer.")]
    name: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=NAME_MAX_CHARS,
            description="Of a destination a URL, an origin or a mail domain; else the name.",
            extra_json_schema=WITHOUT_CONTROL,
        ),
    ]
    channel: Annotated[
        Channel | None,
        Meta(description=f"Of a destination: use {EITHER}; by its name, if left out."),
    ] = None
    reason: Annotated[
        Annotated[str, Meta(max_length=REASON_MAX_CHARS, extra_json_schema=WITHOUT_CONTROL)] | None,
        Meta(description="Say why, for colleagues and producers; `notify explain` shows it."),
    ] = None


NEW_PAUSE = Body(NewPause)


class PausesHandler:
    """List pauses, make them and end them; log one line for each that changed something."""

    def __init__(self, pauses: PauseStore) -> None:
        self._pauses = pauses

    async def list(self, request: web.Request) -> web.Response:
        """Answer all pauses, the newest first."""
        return json_response(PauseList([shown(pause) for pause in await self._pauses.list()]))

    async def pause(self, request: web.Request) -> web.Response:
        """Answer 201 with a new pause, or 200 with the one that was there."""
        body = await read_body(request)
        asked = NEW_PAUSE.read(body, lambda new: (new, list(faults(body, new))))
        try:
            id, is_new = await self._pauses.pause(
                asked.kind, asked.name, asked.channel, asked.reason, who(request)
            )
        except Refused as error:
            pointer = f"/{error.column}" if error.column else None
            raise invalid([Fault("invalid_field", str(error), pointer)]) from error
        if is_new:
            logger.info("paused", pause=id, kind=str(asked.kind))
        pauses = await self._pauses.list(id)
        if not pauses:  # somebody resumed it in between
            raise Problem("pause_not_found")
        response = json_response(shown(pauses[0]))
        response.set_status(201 if is_new else 200)
        return response

    async def resume(self, request: web.Request) -> web.Response:
        """Answer 200 with the pause, which has ended; ignore the body."""
        id = request.match_info["id"]
        if not id.isascii() or not id.isdigit() or len(id) > ID_DIGITS_MAX:
            raise Problem("pause_not_found")
        pause = await self._pauses.resume(int(id), who(request))
        if pause is None:
            raise Problem("pause_not_found")
        logger.info("resumed", pause=pause.id, waiting=pause.waiting)
        return json_response(shown(pause))


def faults(body: bytes, new: NewPause) -> list[Fault]:
    """Check what types cannot."""
    if refused := unstorable(body, msgspec.Raw(b"null")):
        return refused
    texts = {"/name": new.name, "/reason": new.reason or ""}
    return [
        Fault("invalid_field", "Leave out control characters.", pointer)
        for pointer, text in texts.items()
        if CONTROL.search(text)
    ]


def who(request: web.Request) -> By:
    """Say for the audit who asks; without keys it is anybody."""
    asks = by(request)
    return By(asks.producer or ANYBODY, asks.key_id)


def shown(pause: Pause) -> PauseView:
    """Show a pause."""
    return PauseView(**asdict(pause))
