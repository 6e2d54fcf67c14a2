"""GET /notifications/{id}/explain."""

from tests import ledger
from tests.explaining import explain
from tests.integration.api.serving import HOOK, LINE, Api
from tests.keys import bearer, make


def test_the_reasons_are_those_of_the_ledger(api: Api, db) -> None:
    id = api.post(LINE).json["id"]
    ledger.settle(db, ledger.claim(db), "permanent", code="404")
    answer = api.get(f"/notifications/{id}/explain").json
    assert answer["id"] == id
    assert answer["links"]["self"] == f"/notifications/{id}/explain"
    failed, enqueued = answer["reasons"]
    assert failed["command"] == f"notify redrive {id}"
    assert (failed["code"], failed["until"], enqueued["code"]) == ("failed", None, "enqueued")
    in_the_ledger = explain(db, id).values()
    assert [r["sentence"] for r in answer["reasons"]] == [r.sentence for r in in_the_ledger]


def test_a_time_to_come_is_a_time(api: Api, db) -> None:
    id = api.post(LINE).json["id"]
    ledger.change(db, id, due_at="2999-01-01Z")
    reasons = api.get(f"/notifications/{id}/explain").json["reasons"]
    assert {r["code"]: r["until"] for r in reasons}["not_due"] == "2999-01-01T00:00:00Z"


def test_a_key_sees_its_producers_own_explained_and_an_operator_all(api: Api, db) -> None:
    shop, operator = make(db, "send", "read"), make(db, "operate", producer="ops")
    other = make(db, "read", producer="other")
    api.read_keys()
    id = api.post(HOOK, **bearer(shop)).json["id"]
    path = f"/notifications/{id}/explain"
    assert api.get(path, **bearer(shop)).status == 200
    assert api.get(path, **bearer(operator)).status == 200
    answer = api.get(path, **bearer(other))
    assert (answer.status, answer.json["code"]) == (404, "notification_not_found")


def test_what_is_no_id_is_not_found(api: Api) -> None:
    for id in ("0", "019a0b6e-2f31-7c11-9d5e-7a4b1c2d3e4f"):
        answer = api.get(f"/notifications/{id}/explain")
        assert (answer.status, answer.json["code"]) == (404, "notification_not_found")
