"""Times at both ends of the calendar, which clients that left a time empty send."""

from urllib.parse import urlencode

import pytest

from tests.integration.api.serving import LINE, Api
from tests.keys import bearer, make

YEAR_1 = ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00-23:59"]
YEAR_9999 = ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59+23:59", "9999-12-31T23:59:59-23:59"]
EITHER_END = [*YEAR_1, *YEAR_9999]


@pytest.mark.parametrize("at", EITHER_END)
@pytest.mark.parametrize("field", ["send_at", "expires_at"])
@pytest.mark.parametrize("key", [{}, {"idempotency_key": "k"}])
def test_of_a_notification_it_is_the_fault_of_its_field(
    api: Api, tracebacks, at, field, key
) -> None:
    answer = api.post(LINE | key | {field: at})
    assert (answer.status, answer.json["code"]) == (422, f"invalid_{field}")
    assert answer.json["errors"][0]["pointer"] == f"/{field}"
    assert tracebacks == []


@pytest.mark.parametrize("at", EITHER_END)
@pytest.mark.parametrize("name", ["created_from", "created_until"])
@pytest.mark.parametrize("path", ["/notifications", "/console/search", "/console/search/export"])
def test_of_a_list_it_is_a_bound(api: Api, tracebacks, at, name, path) -> None:
    assert api.get(f"{path}?{urlencode({name: at})}").status == 200
    assert tracebacks == []


@pytest.mark.parametrize("at", EITHER_END)
@pytest.mark.parametrize("field", ["created_from", "created_until"])
@pytest.mark.parametrize("path", ["/redrive", "/cancel"])
def test_of_a_filter_it_is_a_bound(api: Api, tracebacks, at, field, path) -> None:
    assert api.post({"filter": {field: at}}, to=path).status == 200
    assert tracebacks == []


@pytest.mark.parametrize("at", EITHER_END)
def test_of_a_key_it_is_past_or_kept(api: Api, db, tracebacks, at) -> None:
    admin = make(db, "admin", producer="ops")
    api.read_keys()
    answer = api.post({"producer": "shop", "expires_at": at}, to="/keys", **bearer(admin))
    assert answer.status == (201 if at in YEAR_9999 else 422)
    if answer.status == 422:
        assert answer.json["errors"][0]["pointer"] == "/expires_at"
    assert api.get("/keys", **bearer(admin)).status == 200
    api.read_keys()
    assert tracebacks == []
