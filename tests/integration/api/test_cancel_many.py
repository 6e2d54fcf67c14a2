"""POST /cancel, and `notify cancel --channel …`."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from loguru import logger

import service.api.cancel_many
from service.api.matching import LIMIT, LIMIT_MAX
from service.cli import main
from tests import ledger
from tests.integration.api.serving import Api
from tests.keys import bearer, make
from tests.sql.faults import one_odd_among, trigger

JSON = {"Content-Type": "application/json"}
ALL = {"filter": {"channel": "log"}}
NONE_IS_LEFT = {"more": False, "next": None}


def cancel(api: Api, body: Any):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.ask("POST", "/cancel", data, **JSON)


def queued(db, n: int = 1, **columns: Any) -> list[str]:
    """Place queued ones, the oldest first."""
    return sorted(str(ledger.put(db, "queued", **columns)) for _ in range(n))


def audited(db) -> list[tuple[str, Any]]:
    return [(r.verb, r.detail) for r in db.execute("select * from notify.audit order by id")]


def test_every_field_of_a_filter_narrows(api: Api, db) -> None:
    columns = {
        "channel": "webhook", "producer": "shop", "reference": "r",
        "recipient": "https://hooks.example/a",
    }  # fmt: skip
    [meant] = queued(db, 1, **columns)
    for other in (
        {"channel": "log"}, {"producer": "desk"}, {"reference": "s"},
        {"recipient": "https://hooks.example/b"},
    ):  # fmt: skip
        queued(db, 1, **(columns | other))
    created = ledger.row(db, meant).created_at.astimezone(UTC).isoformat()
    filter = columns | {"destination": "https://hooks.example"}
    assert cancel(api, {"filter": filter, "dry_run": True}).json["matched"] == 1
    for name, matched in (("created_until", 0), ("created_from", 1)):
        asked = {"filter": filter | {name: created}, "dry_run": True}
        assert cancel(api, asked).json["matched"] == matched
    assert cancel(api, {"filter": filter}).json["cancelled"] == 1
    assert ledger.status(db, meant) == "cancelled"


def test_one_call_moves_no_more_than_can_be_moved_in_time(api: Api, db, monkeypatch) -> None:
    monkeypatch.setattr(service.api.cancel_many, "CANCEL_AT_ONCE_MAX", 3)
    queued(db, 5)
    assert cancel(api, ALL | {"limit": LIMIT_MAX, "dry_run": True}).json["matched"] == 5
    first = cancel(api, ALL | {"limit": LIMIT_MAX}).json
    assert (first["cancelled"], first["more"]) == (3, True)
    assert cancel(api, ALL | {"cursor": first["next"]}).json["cancelled"] == 2


def test_what_is_searched_for_is_what_is_cancelled(api: Api, db) -> None:
    meant = queued(db, channel="email", recipient="Ada@Example.org")
    found = api.get("/notifications?recipient=ada@example.org&status=queued").json["items"]
    assert [item["id"] for item in found] == meant
    filter = {"filter": {"recipient": "ada@example.org"}}
    assert cancel(api, filter | {"dry_run": True}).json["matched"] == 1
    assert cancel(api, filter).json["cancelled"] == 1


def test_a_dry_run_counts_all_exactly_and_changes_nothing(api: Api, db) -> None:
    db.execute(
        "insert into notify.notifications (channel, recipient, payload)"
        " select 'log', 'r', '1' from generate_series(1, %s)", [10_000]
    )  # fmt: skip
    ledger.put(db, "sent")
    counted = cancel(api, ALL | {"dry_run": True}).json
    assert counted == {"matched": 10_000, "cancelled": 0, **NONE_IS_LEFT}
    assert audited(db) == []
    answer = cancel(api, ALL).json
    following = answer.pop("next")
    assert answer == {"matched": LIMIT, "cancelled": LIMIT, "more": True}
    rest = cancel(api, ALL | {"cursor": following, "limit": LIMIT_MAX}).json
    assert rest == {"matched": 10_000 - LIMIT, "cancelled": 10_000 - LIMIT, **NONE_IS_LEFT}
    assert cancel(api, ALL).json == {"matched": 0, "cancelled": 0, **NONE_IS_LEFT}


def test_a_row_that_a_trigger_keeps_does_not_keep_the_others(api: Api, db) -> None:
    ids, odd = one_odd_among(db)
    db.execute(trigger("raise exception 'no';"))
    assert cancel(api, ALL).json == {"matched": 9, "cancelled": 8, **NONE_IS_LEFT}
    assert {id for id in ids if ledger.status(db, id) == "queued"} == {odd}


ID = "01a202f8-7610-7e1c-908b-be00881bc450"
WRONG = {
    "nothing at all": ({}, "missing_field", "/filter"),
    "ids": ({"ids": [ID]}, "missing_field", "/filter"),
    "ids as well": (ALL | {"ids": [ID]}, "unknown_field", "/ids"),
    "a filter of nothing": ({"filter": {}}, "ids_or_filter", "/filter"),
    "a filter of nulls": ({"filter": {"channel": None}}, "ids_or_filter", "/filter"),
    "a code, as what is queued has none": (
        {"filter": {"last_error_code": "503"}}, "unknown_field", "/filter/last_error_code"),
    "an unknown channel": ({"filter": {"channel": "x"}}, "invalid_channel", "/filter/channel"),
    "a producer of 64": ({"filter": {"producer": "x" * 64}}, "invalid_field", "/filter/producer"),
    "a reference of 256": (
        {"filter": {"reference": "x" * 256}}, "invalid_reference", "/filter/reference"),
    "a recipient of 2049": (
        {"filter": {"recipient": "x" * 2049}}, "invalid_recipient", "/filter/recipient"),
    "a destination of 301": (
        {"filter": {"destination": "x" * 301}}, "invalid_field", "/filter/destination"),
    "NUL in a recipient": ({"filter": {"recipient": "a\0"}}, "nul_character", "/filter/recipient"),
    "times in the wrong order": (
        {"filter": {"created_from": "2030-01-31T12:00:00Z",
                    "created_until": "2030-01-31T12:00:00Z"}},
        "invalid_field", "/filter/created_until"),
    "a limit too large": (ALL | {"limit": LIMIT_MAX + 1}, "invalid_field", "/limit"),
    "a rate": (ALL | {"rate_per_s": 1}, "unknown_field", "/rate_per_s"),
    "no body": (b"", "empty_body", None),
}  # fmt: skip


def test_what_is_wrong_is_named_with_its_pointer_and_nothing_moves(api: Api, db) -> None:
    [id] = queued(db)
    for name, (body, code, pointer) in WRONG.items():
        answer = cancel(api, body).json
        told = answer["errors"][0].get("pointer") if answer["errors"] else None
        assert (name, answer["code"], told) == (name, code, pointer)
        assert answer["status"] == (400 if pointer is None else 422)
    assert ledger.status(db, id) == "queued"
    assert audited(db) == []


def test_the_audit_holds_the_filter_and_what_came_of_it_and_nobodys_name(api: Api, db) -> None:
    filter = {"channel": "log", "recipient": "ada", "reference": "case of ada", "producer": "shop"}
    queued(db, 2, **filter)
    cancel(api, {"filter": filter, "limit": 1})
    hidden = filter | {"recipient": "…", "reference": "…"}
    assert audited(db) == [
        ("cancel", {"filter": hidden, "limit": 1, "matched": 1, "cancelled": 1}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://hooks.example/T0/SECRET", "https://hooks.example"),
        ("https://user:secret@hooks.example:443", "https://hooks.example"),
        ("https://hooks.example:secret", "…"),
        ("ada@example.org", "…"),
        ("Example.org.", "example.org"),
    ],
)
def test_the_audit_and_the_log_hold_no_secret_of_a_url_and_no_address(
    api: Api, db, typed: str, kept: str
) -> None:
    said: list[str] = []
    sink = logger.add(lambda line: said.append(str(line)), format="{message} {extra}")
    cancel(api, {"filter": {"destination": typed}})
    logger.remove(sink)
    [(_, detail)] = audited(db)
    assert detail["filter"] == {"destination": kept}
    assert said
    assert not [line for line in said if "secret" in line.lower() or "ada@" in line]


def test_what_the_audit_cannot_hold_is_not_done(api: Api, db) -> None:
    [id] = queued(db)
    db.execute("alter table notify.audit add constraint closed check (verb <> 'cancel')")
    assert cancel(api, ALL).status == 500
    assert ledger.status(db, id) == "queued"


def test_only_what_changed_something_leaves_a_line_in_the_log(api: Api, db, events) -> None:
    queued(db, 2, recipient="ada@example.org")
    filter = {"channel": "log", "recipient": "ada@example.org"}
    cancel(api, {"filter": filter, "dry_run": True})
    cancel(api, {"filter": filter})
    cancel(api, {})
    counts = {"matched": 2, "cancelled": 2, "more": False}
    said = {"channel": "log", "recipient": "a…@example.org"}
    assert events == [("cancelled_matching", said | counts)]


def test_the_command_prints_the_counts(api: Api, db, capsys) -> None:
    columns = {"producer": "shop", "reference": "r", "recipient": "ada"}
    ids = queued(db, 3, **columns)
    url = f"--url=http://127.0.0.1:{api.port}"
    options = ["--channel", "log", "--until", datetime.now(UTC).isoformat(),
               "--since", "2020-01-01T00:00:00Z", "--limit", "2"]  # fmt: skip
    options += [word for name, value in columns.items() for word in (f"--{name}", value)]
    assert main(["cancel", url, *options, "--dry-run"]) == 0
    assert capsys.readouterr().out == "matched 2, cancelled 0\n"
    assert main(["cancel", url, *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "matched": 2, "cancelled": 2, "more": True, "next": ids[1]}  # fmt: skip
    assert [ledger.status(db, id) for id in ids] == ["cancelled", "cancelled", "queued"]


def test_the_command_goes_on_where_too_many_had_to_be_looked_at(
    api: Api, db, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ledger.verb_store.BY_DESTINATION_LOOK_MAX", 501)
    queued(db, 5)
    meant = queued(db, 2, channel="webhook", recipient="https://hooks.example/a")
    url = f"--url=http://127.0.0.1:{api.port}"
    assert main(["cancel", url, "--destination", "https://Hooks.example/"]) == 0
    assert capsys.readouterr().out == "matched 2, cancelled 2\n"
    assert [ledger.status(db, id) for id in meant] == ["cancelled", "cancelled"]


def test_the_command_says_that_some_could_not_be_cancelled(api: Api, db, capsys) -> None:
    one_odd_among(db)
    db.execute(trigger("return null;"))
    assert main(["cancel", f"--url=http://127.0.0.1:{api.port}", "--channel", "log"]) == 1
    told = capsys.readouterr()
    assert told.out == "matched 9, cancelled 8\n"
    assert told.err.startswith("1 could not be cancelled: ")


@pytest.mark.parametrize("more", [[], ["--limit", "5"], ["--dry-run"], [ID, "--producer", "x"]])
def test_the_command_wants_to_be_told_which(more: list[str], capsys) -> None:
    assert main(["cancel", "--url=http://127.0.0.1:1", *more]) == 1
    assert "cancel which? Give IDs" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--dry-run"], ["--limit", "5"]])
def test_the_command_counts_no_ids(option: list[str], capsys) -> None:
    assert main(["cancel", "--url=http://127.0.0.1:1", ID, *option]) == 1
    assert "not for IDs" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/cancel", "/redrive"])
def test_a_filter_tells_nobody_to_whom_others_send(api, db, path):
    blind, seeing = make(db, "operate", producer="a"), make(db, "operate", "read:payload")
    api.read_keys()
    which = {"recipient": "me@example.com"}
    asked = {"filter": which, "dry_run": True}
    assert api.post(asked, to=path, **bearer(blind)).json["code"] == "scope_missing"
    assert api.post(asked, to=path, **bearer(seeing)).status == 200
    for producer, status in (("a", 200), ("b", 403)):
        asked["filter"] = which | {"producer": producer}
        assert api.post(asked, to=path, **bearer(blind)).status == status
