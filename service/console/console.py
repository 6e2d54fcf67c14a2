"""The console's routes: each screen, its path, and the scope that it takes."""

from aiohttp import web

from service.access.caller import Caller
from service.access.scopes import ANY, OPERATE, PAYLOAD, READ, SEND
from service.api.measured import Handler
from service.api.parts import Parts
from service.console.assets import Assets
from service.console.audit import Audit
from service.console.caught import Caught
from service.console.destinations import Destinations
from service.console.events import Events
from service.console.export import Export
from service.console.login import Login
from service.console.now import Now
from service.console.one import One
from service.console.pages import HOME, Pages, redirected
from service.console.screen import Screen, View
from service.console.search import SearchScreen
from service.console.trying import Trying
from service.http.problems import Problem
from service.inbox.inbox import Inbox

MENU = [
    (HOME, "Now"),
    ("/console/search", "Search"),
    ("/console/destinations", "Destinations"),
    ("/console/try", "Try it"),
    ("/console/audit", "Audit"),
]


def add_console(parts: Parts, inbox: Inbox | None = None) -> None:
    """Add the pages to the application. `inbox`: of the same process, if any."""
    assets = Assets()
    pages = Pages(parts, assets, MENU)
    login = Login(parts.ring)
    now = Now(parts)
    one, events, audit = One(parts), Events(parts), Audit(parts)
    destinations = Destinations(parts)
    caught = Caught(inbox)
    trying = Trying(parts, inbox, caught)
    router = parts.app.router

    def made(path: str, handler: Handler) -> Handler:
        return parts.measured.route(path, handler, 200)

    def get(path: str, view: View, need: str) -> None:
        pages.takes(path, need)
        router.add_get(path, made(path, pages.page(view, need)))

    def post(path: str, view: View) -> None:
        router.add_post(path, made(path, pages.open_page(view)))

    get(HOME, now.screen, READ)
    get("/console/search", SearchScreen(parts).screen, READ)
    get("/console/search/export", Export(parts).stream, READ)
    get("/console/notifications/{id}", one.screen, READ)
    # Not measured: how long somebody looks is no measure of how fast we answer.
    router.add_get(
        "/console/notifications/{id}/events", pages.page(events.stream, READ), allow_head=False
    )
    get("/console/audit", audit.screen, OPERATE)
    get("/console/destinations", destinations.screen, OPERATE)
    get("/console/try", trying.screen, SEND)
    preview = pages.page(trying.preview, SEND)
    router.add_post("/console/try/preview", made("/console/try/preview", preview))
    get("/console/try/caught/{key}", caught.screen, PAYLOAD)
    get("/console/try/caught/{key}/mail", caught.frame, PAYLOAD)
    get("/console/try/caught/{key}/source", caught.source, PAYLOAD)
    router.add_get("/console/login", made("/console/login", pages.open_page(login.form)))
    post("/console/login", login.begin)
    post("/console/logout", login.end)
    router.add_get("/console/static/{name}", made("/console/static/{name}", assets.serve))
    get("/console/{path:.*}", nowhere, ANY)


async def nowhere(request: web.Request, caller: Caller) -> Screen | web.Response:
    """Say that there is no such screen; a slash too much leads to the first."""
    if not request.match_info["path"]:
        return redirected(HOME)
    raise Problem("not_found", "No screen has this path: look whether it is spelled right.")
