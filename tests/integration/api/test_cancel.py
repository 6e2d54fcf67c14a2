"""POST /notifications/{id}/cancel, and `notify cancel`."""

import pytest

from service.cli import main
from tests import ledger
from tests.integration.api.serving import HOOK, LINE, Api
from tests.keys import bearer, make
from tests.sql.faults import ODD, trigger

MAIL = '{"subject": "s", "text": "t"}'
NOBODY = "01a202f8-7610-7e1c-908b-be00881bc450"


def cancel(api: Api, id: object):
    return api.ask("POST", f"/notifications/{id}/cancel")


def test_a_200_means_that_it_will_not_be_sent(api: Api, db) -> None:
    posted = api.post(HOOK).json
    answer = cancel(api, posted["id"])
    assert answer.status == 200
    assert (answer.json["id"], answer.json["status"]) == (posted["id"], "cancelled")
    assert answer.json["links"] == posted["links"]
    assert ledger.claim(db) == []
    found = api.get(posted["links"]["self"]).json
    assert (found["status"], found["settled_at"]) == ("cancelled", answer.json["settled_at"])


def test_cancelling_again_answers_the_same(api: Api) -> None:
    id = api.post(HOOK).json["id"]
    assert cancel(api, id).json == cancel(api, id).json


def test_what_is_being_sent_is_a_409_that_says_why(api: Api, db) -> None:
    id = api.post(HOOK).json["id"]
    ledger.claim(db)
    answer = cancel(api, id)
    assert (answer.status, answer.json["code"]) == (409, "already_sending")
    assert "cannot be called back" in answer.json["detail"]
    assert api.get(f"/notifications/{id}").json["status"] == "sending"


@pytest.mark.parametrize("status", ["sent", "failed", "expired"])
def test_what_has_come_to_its_end_is_a_409_that_says_which(api: Api, db, status: str) -> None:
    answer = cancel(api, ledger.put(db, status))
    assert (answer.status, answer.json["code"]) == (409, "already_settled")
    assert status in answer.json["detail"]


def test_what_somebody_is_moving_is_a_409_and_nobody_waits(api: Api, db) -> None:
    id = api.post(HOOK).json["id"]
    with db.transaction():
        ledger.claim(db)
        answer = cancel(api, id)
    assert (answer.status, answer.json["code"]) == (409, "notification_locked")


@pytest.mark.parametrize("id", [NOBODY, "nothing", "%00", "x" * 36])
def test_what_names_no_notification_is_a_404(api: Api, id: str, tracebacks: list[str]) -> None:
    answer = cancel(api, id)
    assert (answer.status, answer.json["code"]) == (404, "notification_not_found")
    assert not tracebacks


def test_a_body_is_not_looked_at(api: Api) -> None:
    id = api.post(LINE).json["id"]
    assert api.ask("POST", f"/notifications/{id}/cancel", b"\xff{").status == 200


def test_any_other_method_is_a_405(api: Api) -> None:
    answer = api.get(f"/notifications/{NOBODY}/cancel")
    assert (answer.status, answer.headers["Allow"]) == (405, "OPTIONS, POST")


def test_only_the_call_that_cancelled_leaves_a_line_in_the_log(api: Api, events) -> None:
    id = api.post(HOOK).json["id"]
    for _ in range(3):
        cancel(api, id)
    cancel(api, NOBODY)
    assert [(e, str(fields["notification_id"])) for e, fields in events] == [("cancelled", id)]


def test_the_command_tells_a_line_each_and_fails_if_one_was_refused(api: Api, db, capsys) -> None:
    queued, again = api.post(LINE).json["id"], api.post(LINE).json["id"]
    sent = str(ledger.put(db, "sent"))
    url = f"--url=http://127.0.0.1:{api.port}"
    assert main(["cancel", url, queued]) == 0
    assert capsys.readouterr().out == f"{queued} cancelled\n"
    assert main(["cancel", url, again, sent, NOBODY]) == 1
    told = capsys.readouterr()
    assert told.out == f"{again} cancelled\n"
    first, second = told.err.splitlines()
    assert first.startswith(f"{sent} ") and "already_settled" in first
    assert second.startswith(f"{NOBODY} ") and "notification_not_found" in second


def test_a_trigger_that_refuses_is_told(api, db):
    id = ledger.put(db, "queued", reference=ODD)
    db.execute(trigger("raise exception 'frozen by accounting';"))
    answer = cancel(api, id)
    assert (answer.status, answer.json["code"]) == (422, "refused_by_database")
    assert "frozen by accounting" in answer.json["detail"]
    assert ledger.status(db, id) == "queued"


def test_the_audit_has_what_was_cancelled_once_and_no_try_that_moved_nothing(api: Api, db) -> None:
    queued, sent = ledger.put(db, "queued"), ledger.put(db, "sent")
    for id in (queued, queued, sent, NOBODY):
        cancel(api, id)
    uses = db.execute("select verb, detail from notify.audit order by id").fetchall()
    assert [tuple(use) for use in uses] == [("cancel", {"id": str(queued), "cancelled": 1})]


def test_what_the_audit_cannot_hold_is_not_cancelled(api: Api, db) -> None:
    id = ledger.put(db, "queued")
    db.execute("alter table notify.audit add constraint closed check (verb <> 'cancel')")
    assert cancel(api, id).status >= 400
    assert ledger.status(db, id) == "queued"


@pytest.mark.parametrize("verb", ["cancel", "send-again"])
def test_what_a_trigger_says_of_a_recipient_is_told_to_who_may_see_it(api: Api, db, verb) -> None:
    state = "queued" if verb == "cancel" else "sent"
    id = ledger.put(db, state, channel="email", recipient="ada@example.org", payload=MAIL,
                    reference=ODD)  # fmt: skip
    db.execute(
        "create function public.no() returns trigger language plpgsql as"
        " $$ begin raise exception 'no mail to %', new.recipient; end $$;"
        "create trigger zz before insert or update on notify.notifications"
        " for each row execute function public.no()"
    )
    said = {}
    for scopes in (("operate",), ("operate", "read:payload")):
        key = bearer(make(db, *scopes, producer=scopes[-1]))
        api.read_keys()
        answer = api.ask("POST", f"/notifications/{id}/{verb}", **key)
        assert (answer.status, answer.json["code"]) == (422, "refused_by_database")
        said[scopes] = answer.json["detail"]
    assert "no mail to a…@example.org" in said["operate",]
    assert "no mail to ada@example.org" in said["operate", "read:payload"]
