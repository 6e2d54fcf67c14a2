"""`notify send --wait`: how a notification ended is the exit code."""

import json

import pytest

from service.cli import sending
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
    with pytest.raises(TryLater, match=r"^ID was queued, and what became of it is not known"):
        sending.wait_for_end(f"{stranger}/503", "ID", end=0)


def test_a_person_gets_words_and_a_pipe_json(bare, api, notify):
    url = f"http://127.0.0.1:{api.port}"
    id = json.loads(notify("send", "log", "x", "{}", "--url", url).out)["id"]
    with Terminal(100, "status", id, "--url", url) as terminal:
        shown = terminal.until_it_ends()
    assert shown.startswith(f"{id}  queued\n")
    assert "next try now" in shown
    assert notify("status", id, "--url", url, "--no-json").out.startswith(f"{id}  queued\n")
    assert json.loads(notify("status", id, "--url", url).out)["id"] == id
