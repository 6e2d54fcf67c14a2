"""POST /notifications/{id}/send-again, and `notify send-again`."""

import json
from uuid import UUID

import pytest

from service.cli import main
from tests import ledger
from tests.integration.api.serving import HOOK, LINE, Api
from tests.keys import bearer, make

NOBODY = "01a202f8-7610-7e1c-908b-be00881bc450"


def again(api: Api, id: object, **headers: str):
    return api.ask("POST", f"/notifications/{id}/send-again", **headers)


def sent(api: Api, db, body=LINE, **headers: str) -> str:
    id = api.post(body, **headers).json["id"]
    ledger.settle(db, ledger.claim(db, [id]))
    return id


def test_a_202_is_a_new_notification_that_names_its_origin(api: Api, db) -> None:
    id = sent(api, db, HOOK | {"reference": "order-7", "priority": 1, "max_attempts": 2})
    answer = again(api, id)
    assert answer.status == 202
    assert answer.headers["Location"] == answer.json["links"]["self"]
    found = api.get(answer.json["links"]["self"]).json
    first = api.get(f"/notifications/{id}").json
    same = ("channel", "recipient", "payload", "priority", "reference", "producer")
    assert [found[name] for name in same] == [first[name] for name in same]
    assert (found["repeats"], first["repeats"]) == (id, None)
    assert (found["status"], found["attempt"], found["max_attempts"]) == ("queued", 0, None)
    assert [row.id for row in ledger.claim(db)] == [ledger.row(db, found["id"]).id]


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_what_has_not_ended_is_a_409(api: Api, db, status: str) -> None:
    answer = again(api, ledger.put(db, status))
    assert (answer.status, answer.json["code"]) == (409, "not_ended")
    assert db.execute("select count(*) from notify.audit").fetchone() == (0,)


def test_what_has_no_payload_is_a_409(api: Api, db) -> None:
    answer = again(api, ledger.put(db, "sent", emptied_at=ledger.ago(db, "1 s")))
    assert (answer.status, answer.json["code"]) == (409, "payload_emptied")


@pytest.mark.parametrize("id", [NOBODY, "nothing", "%00", "x" * 36])
def test_what_names_no_notification_is_a_404(api: Api, db, id: str, tracebacks: list[str]) -> None:
    answer = again(api, id)
    assert (answer.status, answer.json["code"]) == (404, "notification_not_found")
    assert db.execute("select count(*) from notify.audit").fetchone() == (0,)
    assert not tracebacks


def test_the_rules_of_today_hold(api: Api, db) -> None:
    id = sent(api, db)
    ledger.change(db, UUID(id), channel="pigeon")
    answer = again(api, id)
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, "invalid_channel")


def test_what_a_trigger_drops_is_a_422(api: Api, db) -> None:
    id = sent(api, db)
    db.execute(
        "create function public.fault() returns trigger language plpgsql"
        " as 'begin return null; end';"
        " create trigger aa before insert on notify.notifications"
        " for each row execute function public.fault()"
    )
    assert (again(api, id).status, again(api, id).json["code"]) == (422, "dropped_by_database")


def test_who_did_it_is_written_down_and_the_row_stays_its_producers(api: Api, db) -> None:
    id = sent(api, db)
    ledger.change(db, UUID(id), producer="shop")
    ops = make(db, "operate", producer="ops")
    api.read_keys()
    answer = again(api, id, **bearer(ops))
    assert ledger.row(db, answer.json["id"]).producer == "shop"
    uses = db.execute("select actor, key_id, verb, detail from notify.audit order by id").fetchall()
    detail = {"id": id, "copy": answer.json["id"]}
    assert tuple(uses[-1]) == ("ops", ops.id, "send_again", detail)


@pytest.mark.parametrize(
    ("more", "code"),
    [({"channels": ["webhook"]}, "channel_not_allowed"),
     ({"recipients": ["somebody-else"]}, "recipient_not_allowed")],
)  # fmt: skip
def test_a_key_reaches_no_recipient_that_is_not_on_its_list(api: Api, db, more, code) -> None:
    id = sent(api, db)
    ops = make(db, "operate", **more)
    api.read_keys()
    assert again(api, id, **bearer(ops)).json["code"] == code
    assert db.execute("select count(*) from notify.notifications").fetchone() == (1,)


def test_a_test_stays_a_test(api: Api, db) -> None:
    tests, ops = make(db, "send", kind="test"), make(db, "operate")
    api.read_keys()
    id = sent(api, db, **bearer(tests))
    answer = again(api, id, **bearer(ops))
    assert ledger.row(db, answer.json["id"]).is_test


def test_it_is_counted_and_leaves_a_line_in_the_log(api: Api, db, events) -> None:
    id = sent(api, db)
    new = again(api, id).json["id"]
    assert api.metric("api_operator_rows_total", verb="send_again") == 1
    [fields] = [fields for event, fields in events if event == "sent_again"]
    assert {name: str(value) for name, value in fields.items()} == {
        "notification_id": new, "repeats": id, "channel": "log",
    }  # fmt: skip


def test_the_command_prints_the_new_id(api: Api, db, capsys) -> None:
    id = sent(api, db)
    url = f"--url=http://127.0.0.1:{api.port}"
    assert main(["send-again", url, id, "--no-json"]) == 0
    new = capsys.readouterr().out.strip()
    assert str(ledger.row(db, new).repeats) == id
    assert main(["send-again", url, id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "queued"
    assert main(["send-again", url, new]) == 1
    assert "come to its end" in capsys.readouterr().err
