"""What the HTTP edge shows of its requests and of what operators do."""

import json
import re
import threading

import psycopg

from tests.integration.api.serving import HOOK, LINE
from tests.ledger import put
from tests.waiting import wait_for


def requests(api, route, code):
    return api.metric("api_request_seconds_count", route=route, code=str(code))


def test_a_request_is_measured_by_its_route_and_its_status(api):
    id = api.post(HOOK).json["id"]
    api.post({})
    for _ in range(2):
        api.get(f"/notifications/{id}")
    api.get("/notifications?limit=1")
    api.get("/")
    assert requests(api, "/notify", 202) == 1
    assert requests(api, "/notify", 422) == 1
    assert requests(api, "/notifications/{id}", 200) == 2
    assert requests(api, "/notifications", 200) == 1
    assert requests(api, "/", 302) == 1
    assert api.metric("api_request_seconds_sum", route="/notify", code="202") > 0


def test_what_nobody_knows_is_one_route(api):
    for path in ("/nowhere", "/notify/x", "/a/b/c?d=e"):
        assert api.get(path).status == 404
    assert api.ask("PUT", "/notify").status == 405
    assert requests(api, "other", 404) == 3
    assert requests(api, "other", 405) == 1


def test_the_usual_answers_of_every_route_are_there_from_the_start(api):
    shown = {
        (s.labels["route"], s.labels["code"])
        for family in api._registry.collect()
        for s in family.samples
        if s.name == "api_request_seconds_count"
    }
    assert {("/notify", "202"), ("/notify", "503"), ("/redrive", "200"), ("other", "404")} <= shown
    assert not {(route, code) for route, code in shown if re.search("[0-9a-f]{8}-", route)}


def test_a_request_that_waits_is_in_progress(api, dsn):
    with psycopg.connect(dsn) as blocker:
        blocker.execute("lock table notify.notifications in access exclusive mode")
        asking = threading.Thread(target=api.post, args=[LINE])
        asking.start()
        wait_for(lambda: api.metric("api_requests_in_progress") == 1)
    asking.join()
    wait_for(lambda: api.metric("api_requests_in_progress") == 0)


def test_rows_that_operators_move_are_counted(api, db):
    def moved(verb):
        return api.metric("api_operator_rows_total", verb=verb)

    id = api.post(LINE).json["id"]
    for _ in range(2):  # the second changes nothing
        assert api.ask("POST", f"/notifications/{id}/cancel").status == 200
    api.ask("POST", f"/notifications/{put(db, 'sent')}/cancel")
    assert moved("cancel") == 1

    for _ in range(3):
        put(db, "failed")
    for dry_run in (True, False):
        body = {"filter": {"channel": "log"}, "dry_run": dry_run}
        answer = api.ask(
            "POST", "/redrive", json.dumps(body).encode(), **{"Content-Type": "application/json"}
        )
        assert answer.json["matched"] == 3
    assert moved("redrive") == 3
    assert api.post({"filter": {"channel": "log"}}, to="/cancel").json["cancelled"] == 3
    assert moved("cancel") == 4
