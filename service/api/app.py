"""The application: its routes, and what their handlers are made of."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from aiohttp import web

from service.access.ring import KeyRing
from service.access.scopes import ADMIN, ANY, CANCEL, OPERATE, READ, SEND
from service.api import health
from service.api.around import after_body, by_sight, guarded, limited, waits_or_not
from service.api.aside import Aside
from service.api.batch import BatchHandler
from service.api.batcher import Batcher
from service.api.destinations import DestinationsHandler
from service.api.docs import described, docs_page, docs_policy, go_to_docs, static
from service.api.door import Door
from service.api.ends import Ends
from service.api.enqueue import EnqueueHandler
from service.api.express import ExpressEnqueue
from service.api.intake import Intake
from service.api.keys import KeysHandler
from service.api.measured import Handler, Measured
from service.api.operate import OperateHandler
from service.api.parts import AddPages, Parts
from service.api.pauses import PausesHandler
from service.api.probe import ProbeHandler
from service.api.read import ReadHandler
from service.api.read_limit import ReadLimit
from service.api.wait import WAITING_MAX, WaitHandler
from service.clock import Clock
from service.config.settings import Settings
from service.http.metrics_page import MetricsPage
from service.http.problems import Problem
from service.ledger.connection import Connection
from service.ledger.enqueue_store import EnqueueStore
from service.ledger.key_store import KeyStore
from service.ledger.listener import Listener
from service.ledger.pause_store import PauseStore
from service.ledger.read_store import ReadStore
from service.ledger.verb_store import VerbStore
from service.limits import BATCH_BODY_BYTES_MAX, BATCH_ITEMS_MAX, BODY_BYTES_MAX
from service.logs.outage import Outage
from service.metrics import ApiMetrics
from service.process.descriptors import connections_max

if TYPE_CHECKING:
    from service.tracing.tracer import Tracer

LISTS_AT_ONCE = 2
LOOKUPS_AT_ONCE = 2
CANCELS_AT_ONCE = 2
# A burst of cancels is usual: each of them ends a send that would be wrong.
MOVES_WAITING_MAX, MOVES_WAIT_S = 1000, 3.0
OPERATORS_AT_ONCE = 2
# One of the operators, and the look for those that wait; a second operator takes what is free.
READS_AT_ONCE = LISTS_AT_ONCE + LOOKUPS_AT_ONCE + 2
BATCHES_AT_ONCE = 4
EXPRESS = web.AppKey("express", ExpressEnqueue)


def create_app(
    settings: Settings,
    store: EnqueueStore,
    reads: ReadStore,
    metrics: ApiMetrics,
    *,
    keys: KeyStore,
    ring: KeyRing,
    outage: Outage | None = None,
    clock: Clock | None = None,
    inbox_url: str | None = None,
    direct_url: str | None = None,
    is_sandbox: bool = False,
    tracer: "Tracer | None" = None,
    pages: AddPages | None = None,
) -> web.Application:
    """Build the HTTP edge on two open stores: reads have their own, so as never to block `store`.

    `ring`: the keys in memory; somebody has to keep it. `outage`: shared with it. `clock`: what
    times are compared with; None: this machine's. `inbox_url`: where the examples of the
    documentation send webhooks. `direct_url`: where LISTEN works; None: who waits is looked for
    each second. `is_sandbox`: nothing is sent elsewhere; `tracer`: makes spans of enqueues;
    `pages`: adds pages for people. Call it with the loop running.
    """
    lists, lookups = ReadLimit(LISTS_AT_ONCE, 200, share=4), ReadLimit(LOOKUPS_AT_ONCE, 1000)
    operators = ReadLimit(OPERATORS_AT_ONCE, 200)  # their own: lists of others keep none waiting
    clock = clock or Clock()
    outage = outage or Outage("postgresql", role="api")
    aside = Aside(Batcher(store, metrics, outage=outage))
    batcher = Batcher(store, metrics, outage=outage, aside=aside)
    batches = Batcher(
        store,
        metrics,
        rows_max=BATCH_ITEMS_MAX,
        bytes_max=BATCH_BODY_BYTES_MAX,
        outage=outage,
        aside=aside,
    )
    intake = Intake(settings, metrics, clock, tracer=tracer)
    enqueue = EnqueueHandler(intake, batcher)
    batch = BatchHandler(intake, batches, ReadLimit(BATCHES_AT_ONCE, 100))
    read = ReadHandler(reads)
    ends = waited_for(settings, reads, direct_url)
    metrics.waiting.set_function(ends.count)
    operate = OperateHandler(settings, store, reads, metrics)
    door = Door(ring, metrics)
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    measured = Measured(metrics)
    app[EXPRESS] = ExpressEnqueue(enqueue, door, measured)

    def made(name: str, handler: Handler, *statuses: int, need: str | None = None) -> Handler:
        if need is not None:  # else anybody may ask
            handler = door.admitted(handler, need)
        return measured.route(name, guarded(handler), *statuses)

    def get(path: str, handler: Handler, *statuses: int, need: str | None = None) -> None:
        app.router.add_get(path, made(path, handler, *statuses, need=need))

    def post(path: str, handler: Handler, *statuses: int, need: str) -> None:
        app.router.add_post(path, made(path, handler, *statuses, need=need))

    post("/notify", enqueue.post, 200, 202, 503, need=SEND)
    post("/notify/batch", batch.post, 200, 503, need=SEND)
    get("/notifications", limited(read.page, lists), 200, 503, need=READ)
    app.router.add_get(
        "/notifications/{id}",
        waits_or_not(
            made("/notifications/{id}?wait", WaitHandler(read, ends, lookups).find, 200, 503,
                 need=READ),
            made("/notifications/{id}", limited(read.find, lookups), 200, 503, need=READ),
        ),
    )  # fmt: skip
    get("/notifications/{id}/explain", limited(read.explain, lookups), 200, 503, need=READ)
    add_moves(post, operate)
    for path, verb, *statuses in (
        ("/cancel", operate.cancel_many, 200),
        ("/redrive", operate.redrive, 200, 409),
        ("/destinations/probe", ProbeHandler(VerbStore.beside(reads), metrics).probe, 202, 404),
    ):
        post(path, after_body(limited(verb, operators)), *statuses, 503, need=OPERATE)
    add_pauses(get, post, reads, operators)
    get("/destinations", limited(DestinationsHandler(reads).list, lists), 200, 503, need=OPERATE)
    add_keys(get, post, KeysHandler(keys, clock), operators)
    get("/healthz", health.sandbox if is_sandbox else health.alive, 200)
    get("/readyz", health.ReadyHandler(store, settings.environment).ready, 200, 503)
    get("/metrics", MetricsPage().show, 200)
    get("/openapi.json", described(settings, inbox_url, clock), 200)
    get("/docs", static(docs_page(), "text/html; charset=utf-8", docs_policy(docs_page())), 200)
    get("/", go_to_docs, 302)
    if pages is not None:
        parts = Parts(
            app=app, settings=settings, store=store, reads=reads, lists=lists, door=door,
            ring=ring, measured=measured, clock=clock, inbox_url=inbox_url, is_sandbox=is_sandbox,
        )  # fmt: skip
        pages(parts)
    app.router.add_route("*", "/{path:.*}", made("other", elsewhere, 404, need=ANY))

    app.on_shutdown.append(ends.close)
    app.cleanup_ctx.append(flushed(batcher, batches, aside))
    return app


def add_moves(post: Callable[..., None], operate: OperateHandler) -> None:
    """Add what is done to one notification; operators have turns of their own.

    Few at once: it is done on the connections of POST /notify.
    """
    operators = ReadLimit(OPERATORS_AT_ONCE, MOVES_WAITING_MAX, MOVES_WAIT_S)
    others = ReadLimit(CANCELS_AT_ONCE, MOVES_WAITING_MAX, MOVES_WAIT_S)
    cancel = by_sight(limited(operate.cancel, operators), limited(operate.cancel, others))
    again = limited(operate.send_again, operators)
    post("/notifications/{id}/cancel", cancel, 200, 503, need=CANCEL)
    post("/notifications/{id}/send-again", again, 202, 409, 503, need=OPERATE)


def add_keys(
    get: Callable[..., None], post: Callable[..., None], key: KeysHandler, operators: ReadLimit
) -> None:
    """Add what admins ask of keys. To end one waits for nothing else that anybody does."""
    verbs, revokes = ReadLimit(1, 100), ReadLimit(2, MOVES_WAITING_MAX, MOVES_WAIT_S)
    get("/keys", limited(key.list, operators), 200, 503, need=ADMIN)
    post("/keys", after_body(limited(key.create, verbs)), 201, 503, need=ADMIN)
    post("/keys/{id}/revoke", limited(key.revoke, revokes), 200, 503, need=ADMIN)
    post("/keys/{id}/rotate", after_body(limited(key.rotate, verbs)), 201, 503, need=ADMIN)


def add_pauses(
    get: Callable[..., None], post: Callable[..., None], reads: ReadStore, operators: ReadLimit
) -> None:
    """Add what is asked of pauses. The list takes turns with others: it counts many rows."""

    def lend() -> AbstractAsyncContextManager[Connection]:
        return reads.pool.connection()

    pauses, verbs = PausesHandler(PauseStore(lend)), ReadLimit(1, 100)
    get("/pauses", limited(pauses.list, operators), 200, 503, need=OPERATE)
    post("/pauses", after_body(limited(pauses.pause, verbs)), 200, 201, 503, need=OPERATE)
    post("/pauses/{id}/resume", limited(pauses.resume, verbs), 200, 503, need=OPERATE)


def waited_for(settings: Settings, reads: ReadStore, direct_url: str | None) -> Ends:
    """Make what requests wait in. At most half of the connections wait."""
    listener = Listener(direct_url, "notify-wait", "notify_end") if direct_url else None
    places = connections_max(settings.connections_max) // 2
    return Ends(reads, listener, waiting_max=min(WAITING_MAX, places))


def flushed(*batchers: Batcher | Aside) -> Callable[[web.Application], AsyncIterator[None]]:
    """Let batchers write what they hold when the application ends."""

    async def flush_at_the_end(app: web.Application) -> AsyncIterator[None]:
        yield
        for batcher in batchers:
            await batcher.close()

    return flush_at_the_end


async def elsewhere(request: web.Request) -> web.Response:
    """Answer requests that no route takes: 404, 405 with Allow, or OPTIONS."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource.canonical != "/{path}":
            allowed |= (await resource.resolve(request))[1]
    if not allowed:
        raise Problem("not_found")
    headers = {"Allow": ", ".join(sorted({*allowed, "OPTIONS"}))}
    if request.method == "OPTIONS":
        return web.Response(status=204, headers=headers)
    raise Problem("method_not_allowed", headers=headers)
