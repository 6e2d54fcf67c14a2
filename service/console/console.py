"""The console's routes: each screen, its path, and the scope that it takes."""

from aiohttp import web

from service.access.caller import Caller
from service.access.scopes import ANY, READ
from service.api.measured import Handler
from service.api.parts import Parts
from service.console.assets import Assets
from service.console.export import Export
from service.console.login import Login
from service.console.now import Now
from service.console.pages import Pages
from service.console.screen import Screen, View
from service.console.search import SearchScreen
from service.http.problems import Problem

MENU = [("/console", "Now"), ("/console/search", "Search")]


def add_console(parts: Parts) -> None:
    """Add the pages to the application."""
    assets = Assets()
    pages = Pages(parts, assets, MENU)
    login = Login(parts.ring)
    now = Now(parts)
    router = parts.app.router

    def made(path: str, handler: Handler) -> Handler:
        return parts.measured.route(path, handler, 200)

    def get(path: str, view: View, need: str) -> None:
        router.add_get(path, made(path, pages.page(view, need)))

    def post(path: str, view: View) -> None:
        router.add_post(path, made(path, pages.open_page(view)))

    get("/console", now.screen, READ)
    get("/console/search", SearchScreen(parts).screen, READ)
    get("/console/search/export", Export(parts).stream, READ)
    router.add_get("/console/login", made("/console/login", pages.open_page(login.form)))
    post("/console/login", login.begin)
    post("/console/logout", login.end)
    router.add_get("/console/static/{name}", made("/console/static/{name}", assets.serve))
    get("/console/{path:.*}", nowhere, ANY)


async def nowhere(request: web.Request, caller: Caller) -> Screen:
    """Say that there is no such screen."""
    raise Problem("not_found")
