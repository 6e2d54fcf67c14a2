"""GET /destinations."""

import pytest

from tests.explaining import beat, note, state
from tests.integration.api.serving import Api
from tests.rollups import A, B, add_minutes, counts


def test_an_empty_ledger_has_none(api: Api) -> None:
    assert api.get("/destinations").json == {"items": []}


def test_each_is_shown_with_how_it_was_and_what_is_kept_back(api: Api, db) -> None:
    add_minutes(db, counts(A, *[30] * 3, failures=2, last_code="503", failed_s=0), counts(B, 1))
    beat(db)
    note(db, state(A))
    first, second = api.get("/destinations").json["items"]
    for name in ("last_failed_at", "state_since"):
        assert first.pop(name).endswith("Z")
    assert first.pop("per_min") > 0
    assert 20 < first.pop("p50_ms") < first.pop("p99_ms") <= 50
    assert first == {
        "channel": "webhook", "destination": A, "sends": 3, "failures": 2, "last_code": "503",
        "state": "breaker", "state_until": None, "state_code": "connect_failed"}  # fmt: skip
    assert (second["destination"], second["state"], second["last_code"]) == (B, None, None)
    assert len(api.get("/destinations?limit=1").json["items"]) == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=1&limit=1", "wait=1"])
def test_what_is_no_number_of_rows_is_refused(api: Api, query: str) -> None:
    assert api.get(f"/destinations?{query}").status == 422
