"""POST /destinations/probe: a destination that workers keep rows back from is tried at once."""

from typing import Annotated

import msgspec
from aiohttp import web
from loguru import logger
from msgspec import Meta

from service.access.caller import caller_of
from service.api.decoding import Body
from service.api.enqueue import read_body
from service.api.json_answer import json_response
from service.api.matching import spelled
from service.api.operate import used
from service.api.storable import unstorable
from service.api.views import ProbeReport
from service.channels.words import EITHER
from service.http.problems import Problem
from service.ledger.verb_store import VerbStore
from service.limits import DESTINATION_MAX_CHARS
from service.metrics import ApiMetrics
from service.model.verbs import Probed
from service.model.words import Channel


class Probe(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A destination to try at once, as the sentences of `notify explain` name it."""

    channel: Annotated[Channel, Meta(description=f"Use {EITHER}.")]
    destination: Annotated[
        str,
        Meta(
            max_length=DESTINATION_MAX_CHARS,
            description="Use the origin of webhooks, such as https://hooks.example.org, or the "
            "domain of mails, in lower case; for the mail server of all mails an empty text.",
        ),
    ]


BODY = Body(Probe)


class ProbeHandler:
    """Let workers try a destination that they keep rows back from."""

    def __init__(self, store: VerbStore, metrics: ApiMetrics) -> None:
        self._store = store
        self._rows = metrics.operator_rows

    async def probe(self, request: web.Request) -> web.Response:
        """Answer 202 with what will happen, or 404 if nothing keeps it back."""
        asked = read_probe(await read_body(request))
        use = used(caller_of(request), "probe", msgspec.to_builtins(asked))
        probed = await self._store.ask_probe(asked.channel, asked.destination, use=use)
        if probed is None:
            raise Problem("destination_not_kept_back")
        self._rows.labels("probe").inc(probed.brought)
        logger.info("probe_asked", kept_by=probed.kept_by, **msgspec.structs.asdict(asked))
        return json_response(report(asked, probed), status=202)


def read_probe(body: bytes) -> Probe:
    """Read a body. Raises Problem."""
    asked = BODY.read(body, lambda asked: (asked, unstorable(body, msgspec.Raw(b"null"))))
    return msgspec.structs.replace(asked, destination=spelled(asked.destination))


def report(asked: Probe, probed: Probed) -> ProbeReport:
    """Return the answer."""
    workers = "The worker" if probed.kept_by == 1 else f"Each of the {probed.kept_by} workers"
    rows = (
        f"Of those that wait, {probed.brought} fall due in 2 to 4 s."
        if probed.brought
        else "None of those that are to fall due first is parked: the next that falls due is it."
    )
    return ProbeReport(
        channel=asked.channel,
        destination=asked.destination,
        states=probed.states,
        workers=probed.kept_by,
        brought=probed.brought,
        sentence=f"{workers} that keeps it back lets one notification through. {rows}",
    )
