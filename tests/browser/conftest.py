"""One browser for all tests here, a tab of its own for each, and services to look at."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.rows import namedtuple_row
from pytest_postgresql.executors import NoopExecutor

from tests.browser.devtools import Chromium
from tests.browser.proxied import Proxied
from tests.browser.seeds import Seeded, seed, seed_hostile
from tests.browser.service import Service
from tests.browser.tab import DESKTOP, Tab
from tests.conftest import cloned
from tests.integration.api.serving import Api, serving


@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    """Start the browser."""
    # It writes on until it has ended, and a moment longer.
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile, Chromium(profile) as running:
        yield running


@pytest.fixture(scope="package")
def seen(servers: SimpleNamespace, migrated: NoopExecutor) -> Iterator[Service]:
    """Serve a ledger with all that an operator may meet. It is read, and never changed."""
    with cloned(servers, migrated, f"{migrated.dbname}_seen") as dsn:
        yield from served(dsn, seed)


@pytest.fixture(scope="package")
def attacked(servers: SimpleNamespace, migrated: NoopExecutor) -> Iterator[Service]:
    """Serve a ledger full of hostile texts. It is read, and never changed."""
    with cloned(servers, migrated, f"{migrated.dbname}_attacked") as dsn:
        yield from served(dsn, seed_hostile)


def served(dsn: str, fill: Callable[[psycopg.Connection], Seeded]) -> Iterator[Service]:
    """Fill a ledger, and serve it."""
    with psycopg.connect(dsn, autocommit=True, row_factory=namedtuple_row) as db:
        seeded = fill(db)
    with serving(dsn, mail_from="Ours <us@example.org>") as api:
        yield Service(api=api, seeded=seeded)


@pytest.fixture
def open_tab(chromium: Chromium) -> Iterator[Callable[[int], Tab]]:
    """Open tabs on the service at a port; they are closed in the end."""
    tabs: list[Tab] = []

    def opened(port: int) -> Tab:
        tabs.append(Tab(chromium, f"http://127.0.0.1:{port}"))
        return tabs[-1]

    yield opened
    for tab in tabs:
        tab.close()


@pytest.fixture
def api(dsn: str) -> Iterator[Api]:
    """Serve this test's own ledger."""
    with serving(dsn) as running:
        yield running


@pytest.fixture
def tab(api: Api, open_tab: Callable[[int], Tab]) -> Tab:
    """Open a tab on it, as wide as a desktop."""
    tab = open_tab(api.port)
    tab.look_as(DESKTOP)
    return tab


@pytest.fixture
def two_proxied(dsn: str) -> Iterator[list[str]]:
    """Serve by two proxies on one host, as two consoles; the origins of both."""
    with (
        serving(dsn, allowed_hosts=("127.0.0.1",)) as api,
        Proxied(api.port, "localhost:3999") as first,
        Proxied(api.port, "localhost:3327") as second,
    ):
        yield [f"http://127.0.0.1:{proxy.port}" for proxy in (first, second)]


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Tab], None]:
    """Keep what a tab shows under the name of the test, if somebody wants to see it."""
    folder: Path | None = request.config.option.pictures

    def keep(tab: Tab) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            name = "".join(c if c.isalnum() else "-" for c in request.node.name)
            tab.picture(folder / f"{name}.png")

    return keep
