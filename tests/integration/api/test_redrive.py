"""POST /redrive, and `notify redrive`."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from service.api.matching import LIMIT, LIMIT_MAX
from service.api.redrive import IDS_AUDITED
from service.cli import main
from tests import ledger
from tests.integration.api.serving import Api
from tests.keys import bearer, make

JSON = {"Content-Type": "application/json"}
ALL = {"filter": {"channel": "log"}}


def redrive(api: Api, body: Any, **headers: str):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.ask("POST", "/redrive", data, **JSON, **headers)


def failed(db, n: int = 1, **columns: Any) -> list[str]:
    """Place dead letters, the oldest first."""
    return sorted(str(ledger.put(db, "failed", **columns)) for _ in range(n))


def test_those_named_are_queued_again_with_the_attempts_of_a_new_one(api: Api, db) -> None:
    first, second, _ = failed(db, 3, attempt=4)
    answer = redrive(api, {"ids": [first, second]})
    assert answer.status == 200
    assert answer.json == {"matched": 2, "redriven": 2, "expired": 0, "more": False, "next": None}
    assert [ledger.status(db, id) for id in (first, second)] == ["queued", "queued"]
    assert ledger.row(db, first).max_attempts == 8


def test_every_field_of_a_filter_narrows(api: Api, db) -> None:
    columns = {
        "channel": "webhook", "last_error_code": "503", "reference": "r", "producer": "shop",
        "recipient": "https://hooks.example/a",
    }  # fmt: skip
    [meant] = failed(db, 1, **columns)
    for other in (
        {"channel": "log"}, {"last_error_code": "x"}, {"reference": "s"}, {"producer": "desk"},
        {"recipient": "https://hooks.example/b"},
    ):  # fmt: skip
        failed(db, 1, **(columns | other))
    created = ledger.row(db, meant).created_at.astimezone(UTC).isoformat()
    filter = columns | {"destination": "https://hooks.example"}
    assert redrive(api, {"filter": filter, "dry_run": True}).json["matched"] == 1
    for name, matched in (("created_until", 0), ("created_from", 1)):
        asked = {"filter": filter | {name: created}, "dry_run": True}
        assert redrive(api, asked).json["matched"] == matched
    assert redrive(api, {"filter": filter}).json["redriven"] == 1
    assert ledger.status(db, meant) == "queued"


def test_a_dry_run_counts_all_and_changes_nothing(api: Api, db) -> None:
    failed(db)
    failed(db, expires_at=ledger.ago(db, "1 second"))
    db.execute(
        "insert into notify.notifications (channel, recipient, payload)"
        " select 'log', 'r', '1' from generate_series(1, %s)", [LIMIT]
    )  # fmt: skip
    db.execute(
        "update notify.notifications set status = 'failed', settled_at = now()"
        " where status = 'queued'"
    )
    counted = redrive(api, ALL | {"dry_run": True}).json
    none_is_left = {"expired": 1, "more": False, "next": None}
    assert counted == {"matched": LIMIT + 1, "redriven": 0, **none_is_left}
    answer = redrive(api, ALL).json
    following = answer.pop("next")
    assert answer == {"matched": LIMIT, "redriven": LIMIT, "expired": 1, "more": True}
    rest = redrive(api, ALL | {"cursor": following}).json
    assert rest == {"matched": 1, "redriven": 1, "expired": 0, "more": False, "next": None}


def test_limit_and_rate_are_kept(api: Api, db) -> None:
    ids = failed(db, 3)
    answer = redrive(api, ALL | {"limit": 2, "rate_per_s": 0.5})
    assert (answer.json["redriven"], answer.json["more"]) == (2, True)
    first, second, third = (ledger.row(db, id) for id in ids)
    assert (second.due_at - first.due_at).total_seconds() == 2
    assert third.status == "failed"


def test_if_no_rate_is_given_it_is_100_a_second(api: Api, db) -> None:
    ids = failed(db, 2)
    redrive(api, ALL | {"rate_per_s": None, "limit": None, "dry_run": None, "ids": None})
    first, second = (ledger.row(db, id).due_at for id in ids)
    assert (second - first).total_seconds() == 0.01


def test_nothing_that_matches_is_a_200_too(api: Api, db) -> None:
    ledger.put(db, "sent")
    none = {"matched": 0, "redriven": 0, "expired": 0, "more": False, "next": None}
    assert redrive(api, ALL).json == none


ID = "01a202f8-7610-7e1c-908b-be00881bc450"
WRONG = {
    "nothing at all": ({}, "ids_or_filter", ""),
    "both": ({"ids": [ID]} | ALL, "ids_or_filter", ""),
    "a filter of nothing": ({"filter": {}}, "ids_or_filter", "/filter"),
    "a filter of nulls": ({"filter": {"channel": None}}, "ids_or_filter", "/filter"),
    "no ids": ({"ids": []}, "invalid_field", "/ids"),
    "1001 ids": ({"ids": [ID] * 1001}, "invalid_field", "/ids"),
    "an id that is none": ({"ids": [ID, "x"]}, "invalid_field", "/ids"),
    "one id alone": ({"ids": ID}, "invalid_field", "/ids"),
    "a filter that is a list": ({"filter": []}, "invalid_field", "/filter"),
    "an unknown filter": ({"filter": {"status": "sent"}}, "unknown_field", "/filter/status"),
    "an unknown channel": ({"filter": {"channel": "x"}}, "invalid_channel", "/filter/channel"),
    "an empty code": (
        {"filter": {"last_error_code": ""}}, "invalid_field", "/filter/last_error_code"),
    "a code that is a number": (
        {"filter": {"last_error_code": 503}}, "invalid_field", "/filter/last_error_code"),
    "a reference of 256": (
        {"filter": {"reference": "x" * 256}}, "invalid_reference", "/filter/reference"),
    "NUL in a reference": (
        {"filter": {"reference": "a\0"}}, "nul_character", "/filter/reference"),
    "half a pair": (
        b'{"filter":{"reference":"\\ud800"}}', "lone_surrogate", "/filter/reference"),
    "a time without an offset": (
        {"filter": {"created_from": "2030-01-31T12:00:00"}}, "invalid_field",
        "/filter/created_from"),
    "times in the wrong order": (
        {"filter": {"created_from": "2030-01-31T12:00:00Z",
                    "created_until": "2030-01-31T12:00:00Z"}},
        "invalid_field", "/filter/created_until"),
    "a limit of 0": (ALL | {"limit": 0}, "invalid_field", "/limit"),
    "a limit too large": (ALL | {"limit": LIMIT_MAX + 1}, "invalid_field", "/limit"),
    "half a limit": (ALL | {"limit": 0.5}, "invalid_field", "/limit"),
    "a rate of 0": (ALL | {"rate_per_s": 0}, "invalid_field", "/rate_per_s"),
    "a rate beyond a double": (
        b'{"filter":{"channel":"log"},"rate_per_s":1e999}', "invalid_field", "/rate_per_s"),
    "a dry run that is a word": (ALL | {"dry_run": "yes"}, "invalid_field", "/dry_run"),
    "an unknown field": (ALL | {"attempts": 9}, "unknown_field", "/attempts"),
    "an array": ([], "not_an_object", ""),
    "no body": (b"", "empty_body", None),
    "no JSON": (b"{", "invalid_json", None),
    "Latin-1": (b'{"ids":["\xe4"]}', "invalid_encoding", None),
    "5000 levels": (b'{"ids":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deeply_nested", ""),
}  # fmt: skip


def test_what_is_wrong_is_named_with_its_pointer_and_nothing_moves(
    api: Api, db, tracebacks: list[str]
) -> None:
    failed(db)
    for name, (body, code, pointer) in WRONG.items():
        answer = redrive(api, body).json
        told = answer["errors"][0].get("pointer") if answer["errors"] else None
        assert (name, answer["code"], told) == (name, code, pointer)
        assert answer["status"] == (400 if pointer is None else 422)
    assert not tracebacks
    assert [r.status for r in db.execute("select status from notify.notifications")] == ["failed"]


def test_a_body_that_is_not_declared_as_json_is_a_415(api: Api) -> None:
    assert api.ask("POST", "/redrive", b'{"ids": []}').status == 415


def test_only_what_changed_something_leaves_a_line_in_the_log(api: Api, db, events) -> None:
    failed(db, 2)
    redrive(api, ALL | {"dry_run": True})
    redrive(api, ALL)
    redrive(api, {})
    counts = {"matched": 2, "redriven": 2, "expired": 0, "more": False}
    assert events == [("redriven", {"channel": "log", **counts})]


def test_each_id_that_was_named_has_a_line_in_the_log(api: Api, db, transitions) -> None:
    ids = failed(db, 2)
    redrive(api, {"ids": ids})
    assert transitions == [("redrive_asked", {"notification_id": UUID(id)}) for id in ids]


def test_the_audit_holds_what_was_asked_and_what_came_of_it(api: Api, db) -> None:
    ids = failed(db, 2, reference="case of ada")
    redrive(api, {"filter": {"reference": "case of ada"}, "limit": 1})
    redrive(api, {"ids": ids})
    redrive(api, {"ids": ids * IDS_AUDITED})
    details = [r.detail for r in db.execute("select detail from notify.audit order by id")]
    one = {"matched": 1, "redriven": 1, "expired": 0}
    none = {"matched": 0, "redriven": 0, "expired": 0}
    assert details == [
        {"filter": {"reference": "…"}, "limit": 1} | one,
        {"ids": ids, "limit": LIMIT} | one,
        {"id_count": 2 * IDS_AUDITED, "limit": LIMIT} | none,
    ]  # fmt: skip


def test_the_command_prints_the_counts(api: Api, db, capsys) -> None:
    [first, second, _] = failed(db, 3, last_error_code="503", reference="r")
    url = f"--url=http://127.0.0.1:{api.port}"
    now = datetime.now(UTC).isoformat()
    options = ["--channel", "log", "--code", "503", "--reference", "r", "--until", now,
               "--since", "2020-01-01T00:00:00Z", "--limit", "2", "--rate", "10"]  # fmt: skip
    assert main(["redrive", url, *options, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out)["redriven"] == 0
    assert main(["redrive", url, *options]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "matched": 2, "redriven": 2, "expired": 0, "more": True, "next": second}  # fmt: skip
    assert main(["redrive", url, first]) == 0
    assert json.loads(capsys.readouterr().out)["matched"] == 0


def test_the_command_goes_on_where_too_many_had_to_be_looked_at(
    api: Api, db, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ledger.verb_store.MOVE_LOOK_MAX", 501)
    failed(db, 5, last_error_code="404")
    meant = failed(db, 2, last_error_code="503")
    url = f"--url=http://127.0.0.1:{api.port}"
    assert main(["redrive", url, "--code", "503"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"matched": 2, "redriven": 2, "expired": 0, "more": False, "next": None}
    assert [ledger.status(db, id) for id in meant] == ["queued", "queued"]


@pytest.mark.parametrize("more", [[], ["--limit", "5"], ["--dry-run"], [ID, "--code", "503"]])
def test_the_command_wants_to_be_told_which(more: list[str], capsys) -> None:
    assert main(["redrive", "--url=http://127.0.0.1:1", *more]) == 1
    assert "redrive which?" in capsys.readouterr().err


def test_the_command_tells_what_the_service_refuses(api: Api, capsys) -> None:
    url = f"--url=http://127.0.0.1:{api.port}"
    assert main(["redrive", url, "--since", "yesterday"]) == 1
    assert "--since: Use RFC 3339" in capsys.readouterr().err


@pytest.mark.parametrize("dry_run", [False, True])
def test_one_whose_payload_was_emptied_is_refused_by_name_and_none_is_moved(
    api: Api, db, dry_run
) -> None:
    whole, emptied = failed(db, 2)
    ledger.change(db, UUID(emptied), payload="null", emptied_at="2026-01-01Z")
    answer = redrive(api, {"ids": [whole, emptied], "dry_run": dry_run})
    assert (answer.status, answer.json["code"]) == (409, "payload_emptied")
    assert emptied in answer.json["detail"]
    assert [ledger.status(db, id) for id in (whole, emptied)] == ["failed", "failed"]
    assert redrive(api, ALL).json["matched"] == 1
    assert ledger.status(db, emptied) == "failed"


def test_one_that_was_sent_and_emptied_is_no_dead_letter_and_no_problem(api: Api, db) -> None:
    sent = ledger.put(db, "sent", payload="null", emptied_at="2026-01-01Z")
    assert redrive(api, {"ids": [str(sent)]}).json["matched"] == 0


def operator(api: Api, db, **held: Any) -> dict[str, str]:
    """Make a key that may operate, held to some channels or recipients."""
    key = make(db, "operate", producer="ops", **held)
    api.read_keys()
    return bearer(key)


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(
    ("held", "code"),
    [({"channels": ["log"]}, "channel_not_allowed"),
     ({"recipients": ["*@example.org", "r"]}, "recipient_not_allowed")],
)  # fmt: skip
def test_a_key_redrives_no_id_that_it_does_not_reach_and_then_none(
    api: Api, db, held, code, dry_run
) -> None:
    [reached] = failed(db)
    [other] = failed(db, 1, channel="email", recipient="ada@example.com")
    ops = operator(api, db, **held)
    answer = redrive(api, {"ids": [reached, other], "dry_run": dry_run}, **ops)
    assert (answer.status, answer.json["code"]) == (403, code)
    assert other in answer.json["detail"]
    assert "ada@" not in answer.body.decode()
    assert [ledger.status(db, id) for id in (reached, other)] == ["failed", "failed"]
    assert redrive(api, {"ids": [reached, ID]}, **ops).json["redriven"] == 1


@pytest.mark.parametrize(
    ("held", "asked", "code"),
    [({"channels": ["email"]}, ALL, "channel_not_allowed"),
     ({"channels": ["email"]}, ALL | {"dry_run": True}, "channel_not_allowed"),
     ({"channels": ["email"]}, {"filter": {"last_error_code": "503"}}, "channel_not_allowed"),
     ({"recipients": ["r"]}, ALL, "recipient_not_allowed"),
     ({"recipients": ["r"], "channels": ["log"]}, ALL, "recipient_not_allowed")],
)  # fmt: skip
def test_a_key_redrives_by_no_filter_that_may_match_what_it_does_not_reach(
    api: Api, db, held, asked, code
) -> None:
    [id] = failed(db, 1, last_error_code="503")
    answer = redrive(api, asked, **operator(api, db, **held))
    assert (answer.status, answer.json["code"]) == (403, code)
    assert "ids" in answer.json["detail"]
    assert ledger.status(db, id) == "failed"


def test_a_key_held_to_a_channel_redrives_by_a_filter_that_names_it(api: Api, db) -> None:
    [id] = failed(db)
    [other] = failed(db, 1, channel="email", recipient="ada@example.com")
    assert redrive(api, ALL, **operator(api, db, channels=["log"])).json["redriven"] == 1
    assert [ledger.status(db, each) for each in (id, other)] == ["queued", "failed"]
