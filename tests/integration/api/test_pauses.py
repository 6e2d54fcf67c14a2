"""GET and POST /pauses, POST /pauses/{id}/resume: what is not sent for now, and who said so."""

import pytest

from tests import ledger
from tests.integration.api.serving import HOOK, LINE, MAIL, Api
from tests.ledger import claim, pause, row

CHANNEL = {"kind": "channel", "name": "log"}
FIELDS = {
    "id",
    "kind",
    "name",
    "channel",
    "reason",
    "paused_by",
    "paused_at",
    "resumed_at",
    "waiting",
}


def asked(api: Api, body: object):
    return api.post(body, to="/pauses")


def resumed(api: Api, id: object):
    return api.ask("POST", f"/pauses/{id}/resume")


def test_what_is_paused_is_not_claimed_until_it_is_resumed(api: Api, db) -> None:
    made = asked(api, CHANNEL | {"reason": "The disk is full."})
    assert made.status == 201
    assert made.json == made.json | CHANNEL | {
        "channel": None, "reason": "The disk is full.", "paused_by": "anybody", "resumed_at": None,
        "waiting": 0,
    }  # fmt: skip
    assert set(made.json) == FIELDS
    held, other = api.post(LINE).json["id"], api.post(HOOK).json["id"]
    assert [str(c.id) for c in claim(db)] == [other]
    [listed] = api.get("/pauses").json["items"]
    assert listed == made.json | {"waiting": 1}
    ended = resumed(api, made.json["id"])
    assert (ended.status, ended.json["waiting"]) == (200, 1)
    assert ended.json["resumed_at"] >= listed["paused_at"]
    assert ledger.bring_back(db) == 1
    assert [str(c.id) for c in claim(db)] == [held]
    assert api.get("/pauses").json == {"items": []}


def test_to_pause_again_answers_200_with_what_is_there(api: Api) -> None:
    first, again = asked(api, CHANNEL | {"reason": "first"}), asked(api, CHANNEL)
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json


def test_a_destination_is_spelled_as_workers_do(api: Api) -> None:
    hook = asked(api, {"kind": "destination", "name": "https://Example.org:443/a/b?c"}).json
    assert (hook["name"], hook["channel"]) == ("https://example.org", "webhook")
    mail = asked(api, {"kind": "destination", "name": "Example.org", "channel": "email"}).json
    assert (mail["name"], mail["channel"]) == ("example.org", "email")


def test_a_mail_whose_domain_was_written_in_ascii_is_held_by_a_pause_of_it(api: Api, db) -> None:
    name = "xn--bcher-kva.example"
    assert asked(api, {"kind": "destination", "channel": "email", "name": name}).status == 201
    id = api.post(MAIL | {"recipient": f"p@{name.upper()}"}).json["id"]
    assert claim(db) == []
    assert row(db, id).recipient == f"p@{name}"
    [found] = api.get(f"/notifications?destination={name}").json["items"]
    assert found["id"] == id


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"kind": "host", "name": "a"}, "invalid_field", "/kind"),
        ({"name": "log"}, "missing_field", "/kind"),
        ({"kind": "channel"}, "missing_field", "/name"),
        ({"kind": "channel", "name": ""}, "invalid_field", "/name"),
        ({"kind": "channel", "name": "emial"}, "invalid_field", "/name"),
        ({"kind": "producer", "name": "a\nb"}, "invalid_field", "/name"),
        ({"kind": "producer", "name": "p" * 300}, "invalid_field", "/name"),
        ({"kind": "destination", "name": "nothing here"}, "invalid_field", "/name"),
        ({"kind": "destination", "name": "http://a", "channel": "log"}, "invalid_field", "/name"),
        ({"kind": "destination", "name": "ada@example.org"}, "invalid_field", "/name"),
        (CHANNEL | {"channel": "email"}, "invalid_field", "/channel"),
        ({"kind": "producer", "name": "p", "channel": "email"}, "invalid_field", "/channel"),
        (CHANNEL | {"reason": "r" * 256}, "invalid_field", "/reason"),
        (CHANNEL | {"reason": "a\u2028b"}, "invalid_field", "/reason"),
        (CHANNEL | {"until": "now"}, "unknown_field", "/until"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_422_that_says_where(api: Api, body, code, pointer) -> None:
    answer = asked(api, body)
    assert (answer.status, answer.json["code"]) == (422, code)
    assert answer.json["errors"][0]["pointer"] == pointer
    assert api.get("/pauses").json == {"items": []}


@pytest.mark.parametrize("id", ["1", "0", "-1", "x", "%00", "9" * 40, "%D9%A1"])
def test_what_names_no_pause_is_a_404(api: Api, id: str, tracebacks: list[str]) -> None:
    answer = resumed(api, id)
    assert (answer.status, answer.json["code"]) == (404, "pause_not_found")
    assert not tracebacks


def test_resuming_twice_answers_the_same(api: Api, db) -> None:
    id = asked(api, CHANNEL).json["id"]
    api.post(LINE)
    claim(db)
    assert resumed(api, id).json == resumed(api, id).json


def test_a_paused_notification_has_no_due_at_and_says_why(api: Api, db) -> None:
    posted = api.post(LINE).json
    pause_id = asked(api, CHANNEL | {"reason": "It moves."}).json["id"]
    claim(db)
    assert row(db, posted["id"]).due_at.year == 3000
    found = api.get(posted["links"]["self"]).json
    assert (found["status"], found["due_at"], found["attempt"]) == ("queued", None, 0)
    [listed] = api.get("/notifications?status=queued").json["items"]
    assert listed["due_at"] is None
    reasons = api.get(f"{posted['links']['self']}/explain").json["reasons"]
    [why] = [reason for reason in reasons if reason["code"] == "paused"]
    assert "It moves" in why["sentence"]
    assert why["command"] == f"notify resume {pause_id}"


def test_it_can_be_cancelled_and_its_due_at_is_nobodys_then(api: Api, db) -> None:
    pause(db, "channel", "log")
    posted = api.post(LINE).json
    claim(db)
    assert api.ask("POST", f"/notifications/{posted['id']}/cancel").status == 200
    found = api.get(posted["links"]["self"]).json
    assert (found["status"], found["due_at"]) == ("cancelled", None)


def test_the_audit_has_both_verbs(api: Api, db) -> None:
    id = asked(api, CHANNEL).json["id"]
    resumed(api, id)
    uses = db.execute(
        "select actor, verb, detail->>'id' as pause from notify.audit order by id desc"
    )
    assert [tuple(use) for use in uses.fetchmany(2)] == [
        ("anybody", "resume", str(id)), ("anybody", "pause", str(id)),
    ]  # fmt: skip


def test_each_that_changed_something_leaves_a_line_in_the_log(api: Api, events) -> None:
    id = asked(api, CHANNEL).json["id"]
    asked(api, CHANNEL)
    resumed(api, id)
    named = [(event, fields["pause"]) for event, fields in events if event in ("paused", "resumed")]
    assert named == [("paused", id), ("resumed", id)]
