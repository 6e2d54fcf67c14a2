"""What the doctor says of pauses: they are easily forgotten."""

import asyncio
from dataclasses import replace

import pytest

from service.doctor.finding import Finding
from service.doctor.pauses import SHOWN_MAX, pause_finding, pause_findings
from service.ledger.doctor_store import DoctorStore
from service.ledger.pause_store import WAITING_MAX, PauseStore
from tests.ledger import claim, enqueue, pause, paused, resume


@pytest.fixture
def findings(dsn):
    async def look() -> list[Finding]:
        async with DoctorStore(dsn, "notify-doctor", connections_max=1) as store:
            return await pause_findings(store)

    return lambda: asyncio.run(look())


def test_without_one_all_is_fine(findings):
    assert findings() == [Finding("pauses", "nothing is paused")]


def test_one_is_something_to_do_with_since_when_who_and_how_many(db, findings):
    id = pause(db, "channel", "log", actor="ops")
    claim(db, enqueue(db, 3))
    [finding] = findings()
    since = paused(db)[0].paused_at
    assert finding.found == f"channel log since {since:%Y-%m-%d %H:%M}Z by ops, with 3 waiting"
    assert finding.advice == f"when it may go on: notify resume {id}"
    resume(db, id)
    [finding] = findings()
    assert finding.advice == ""


def test_many_are_not_all_told(db, findings):
    for n in range(SHOWN_MAX + 2):
        pause(db, "producer", f"p{n}")
    assert len(findings()) == SHOWN_MAX


def test_what_is_counted_no_further_says_so(db, dsn):
    pause(db, "channel", "log")

    async def read():
        async with DoctorStore(dsn, "notify-doctor", connections_max=1) as store:
            return (await PauseStore(store.pool.connection).list())[0]

    many = replace(asyncio.run(read()), waiting=WAITING_MAX)
    assert "with 10,000 or more waiting" in pause_finding(many).found
