"""Pages take turns by producer: one that asks in a loop keeps nobody else out."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.api.read_limit import ReadLimit
from tests import ledger
from tests.integration.api.serving import LIMIT_S, serving
from tests.keys import bearer, make
from tests.waiting import wait_for

WAITING_MAX = 4
PAGES = {
    "one": ("read", "/console/notifications/{id}"),
    "destinations": ("operate", "/console/destinations"),
    "audit": ("operate", "/console/audit"),
}


@pytest.fixture
def limits(request, monkeypatch):
    """Let one look at the page at once, and four wait, for long."""
    made = []

    def narrow(*_):
        made.append(ReadLimit(1, WAITING_MAX, LIMIT_S))
        return made[-1]

    monkeypatch.setattr(f"service.console.{request.param}.ReadLimit", narrow)
    return made


@pytest.mark.parametrize(("limits", "scope", "path"),
                         [(page, *asked) for page, asked in PAGES.items()],
                         ids=PAGES, indirect=["limits"])  # fmt: skip
def test_one_producer_has_half_of_the_places_of_those_that_wait(dsn, db, limits, scope, path):
    noisy, other = (bearer(make(db, scope, producer=producer)) for producer in ("noisy", "other"))
    ids = {who: ledger.put(db, "sent", producer=who) for who in ("noisy", "other")}
    with serving(dsn) as api, ThreadPoolExecutor(WAITING_MAX + 1) as pool:
        held = limits[0].admitted()
        api.run(held.__aenter__())
        asked = [
            pool.submit(api.get, path.format(id=ids["noisy"]), **noisy) for _ in range(WAITING_MAX)
        ]
        wait_for(lambda: sum(one.done() for one in asked) == WAITING_MAX // 2)
        last = pool.submit(api.get, path.format(id=ids["other"]), **other)
        wait_for(lambda: api.metric("api_requests_in_progress") == WAITING_MAX // 2 + 1)
        api.run(held.__aexit__(None, None, None))
        assert last.result().status == 200
        assert sorted(one.result().status for one in asked) == [200, 200, 503, 503]
