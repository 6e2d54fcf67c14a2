"""`notify send --wait`: how a notification ended is the exit code."""

import json

import pytest

from service.cli import client, status
from service.errors import TryLater
from tests.integration.cli.conftest import ended
from tests.integration.cli.terminal import Terminal
from tests.ledger import change
from tests.waiting import wait_for


@pytest.fixture
def waiting(process, api, db):
    """Start `notify send … --wait`; gives it, and the id, once it is in the ledger."""

    def start(*more):
        url = f"http://127.0.0.1:{api.port}"
        running = process("send", "log", "x", "{}", "--wait", "--url", url, *more)
        [id] = wait_for(lambda: db.execute("select id from notify.notifications").fetchone())
        return running, id

    return start


ODD_PAYLOADS = [
    '{"n": [12345678901234567890123.4567890123456789, 1.10, 9007199254740993], "e": [], "o": {}}',
    '{"n": ' + "9" * 5000 + "}",
    '["payload", ' + "[" * 6000 + '"]\\""' + "]" * 6000 + "]",
    '{"a": [' * 500 + "1.10" + "]}" * 500,
]


@pytest.mark.parametrize("payload", ODD_PAYLOADS, ids=lambda payload: payload[:12])
def test_a_payload_is_shown_as_it_is_stored(notify, api, db, payload):
    insert = "select notify.send('log', 'x', %s::jsonb, reference => 'ünicode \u202e') as id"
    [id] = db.execute(insert, [payload]).fetchone()
    done = notify("status", str(id), "--url", f"http://127.0.0.1:{api.port}")
    assert (done.code, done.err) == (0, "next try now\n")
    [stored] = db.execute("select payload::text from notify.notifications").fetchone()
    assert "".join(stored.split()) in "".join(done.out.split())
    assert '"ünicode \\u202e"' in done.out
    [now] = db.execute("select clock_timestamp()").fetchone()
    change(db, id, status="sent", settled_at=now, attempt=1, max_attempts=4)
    waited = notify("status", str(id), "--wait", "--url", f"http://127.0.0.1:{api.port}")
    assert (waited.code, waited.err) == (0, "")
    assert "".join(stored.split()) in "".join(waited.out.split())


@pytest.mark.parametrize(
    ("status", "code"), [("sent", 0), ("failed", 3), ("expired", 4), ("cancelled", 5)]
)
def test_how_it_ended_is_the_exit_code(waiting, db, status, code):
    running, id = waiting()
    [now] = db.execute("select clock_timestamp()").fetchone()
    change(db, id, status=status, settled_at=now, attempt=1, max_attempts=4)
    done = ended(running)
    assert done.code == code
    assert json.loads(done.out)["status"] == status
    assert done.err == f"{id} queued\n"


def test_what_has_not_ended_in_time_is_said_with_how_to_look_on(waiting):
    running, id = waiting("--timeout", "0.2")
    done = ended(running)
    assert (done.code, done.out) == (6, "")
    assert done.err.endswith(f"{id} has not ended within 0.2 s, and goes on: notify status {id}\n")


def test_a_timeout_is_for_waiting_alone(notify):
    done = notify("send", "log", "x", "{}", "--timeout", "1")
    assert done.code == 1
    assert "give both" in done.err


def test_an_api_that_stays_away_is_told_with_the_id(stranger):
    with pytest.raises(TryLater, match=r"^what became of ID is not known"):
        status.wait_for_end(f"{stranger}/503", "ID", end=0)


def test_a_person_gets_words_and_a_pipe_json(bare, api, notify):
    url = f"http://127.0.0.1:{api.port}"
    id = json.loads(notify("send", "log", "x", "{}", "--url", url).out)["id"]
    with Terminal(100, "status", id, "--url", url) as terminal:
        shown = terminal.until_it_ends()
    assert shown.startswith(f"{id}  queued\n")
    assert "next try now" in shown
    assert notify("status", id, "--url", url, "--no-json").out.startswith(f"{id}  queued\n")
    assert json.loads(notify("status", id, "--url", url).out)["id"] == id


@pytest.fixture
def asked(monkeypatch):
    """Note for how long each look asked the API to wait."""
    noted = []
    ask = client.status

    def noting(base, id, wait_s=0):
        noted.append(wait_s)
        return ask(base, id, wait_s)

    monkeypatch.setattr(client, "status", noting)
    return noted


def enqueued(notify, url):
    return json.loads(notify("send", "log", "x", "{}", "--url", url).out)["id"]


def test_status_waits_as_send_does(process, notify, api, db):
    url = f"http://127.0.0.1:{api.port}"
    id = enqueued(notify, url)
    running = process("status", id, "--wait", "--url", url)
    flag = "select notify_on_end from notify.notifications where id = %s"
    wait_for(lambda: db.execute(flag, [id]).fetchone()[0])
    [now] = db.execute("select clock_timestamp()").fetchone()
    change(db, id, status="failed", settled_at=now, attempt=1, max_attempts=1)
    done = ended(running)
    assert (done.code, json.loads(done.out)["status"], done.err) == (3, "failed", "")


def test_status_says_what_has_not_ended_in_time(notify, api, asked):
    url = f"http://127.0.0.1:{api.port}"
    id = enqueued(notify, url)
    done = notify("status", id, "--wait", "--timeout", "1.2", "--url", url)
    assert (done.code, done.out) == (6, "")
    assert "goes on" in done.err
    assert asked[0] == 1
    assert len(asked) < 10


def test_an_api_of_before_that_answers_at_once_is_asked_at_a_pace(notify, api, monkeypatch, asked):
    url = f"http://127.0.0.1:{api.port}"
    id = enqueued(notify, url)
    monkeypatch.setattr(status, "PAUSE_S", (0.1, 0.1))
    monkeypatch.setattr(client, "ask", lambda base, path, **_: {"id": id, "status": "queued"})
    assert notify("status", id, "--wait", "--timeout", "1", "--url", url).code == 6
    assert 2 <= len(asked) <= 11


def test_an_api_that_has_no_room_for_who_waits_is_asked_without(notify, api, monkeypatch, asked):
    url = f"http://127.0.0.1:{api.port}"
    id = enqueued(notify, url)
    ask = client.ask

    def full(base, path, *args, **more):
        if "wait" in path:
            raise TryLater("too many wait")
        return ask(base, path, *args, **more)

    monkeypatch.setattr(client, "ask", full)
    assert notify("status", id, "--wait", "--timeout", "2", "--url", url).code == 6
    assert asked[0] > 0
    assert {*asked[1:]} == {0}


def test_a_timeout_of_status_is_for_waiting_alone(notify):
    done = notify("status", "01a202f8-7610-7e1c-908b-be00881bc450", "--timeout", "1")
    assert done.code == 1
    assert "give both" in done.err
