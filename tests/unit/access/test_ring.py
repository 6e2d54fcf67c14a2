"""The keys in memory: read together, read again for an unknown id, and soon doubted."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from service.access import ring as module
from service.access.held import caller_with
from service.access.key import ApiKey, ValidKeys, minted
from service.access.ring import READ_MAX_S, KeyRing
from service.errors import DatabaseAway


def row(secret, **more):
    values: dict[str, Any] = {
        "producer": "shop", "kind": "live", "scopes": ["send"], "channels": None,
        "recipients": None, "rate_per_s": None, "burst": None, "created_at": datetime.now(UTC),
        "created_by": "me", "expires_at": None, "revoked_at": None, "last_used_at": None,
    }  # fmt: skip
    return ApiKey(id=secret.id, secret_sha256=secret.sha256, **values | more)


def unless_known(rows, digest):
    """Answer as the ledger does."""
    new = " ".join(row.id for row in rows)
    return None if new == digest else ValidKeys(rows, new)


class Ledger:
    """Stands in for the table: counts how often it is asked."""

    def __init__(self, *rows):
        self.rows = list(rows)
        self.asked = 0
        self.used = []
        self.is_away = False

    async def valid(self, digest):
        self.asked += 1
        rows = list(self.rows)
        await asyncio.sleep(0)
        if self.is_away:
            raise DatabaseAway("away")
        return unless_known(rows, digest)

    async def use(self, ids):
        self.used.append(ids)


def run(work):
    return asyncio.run(work)


def test_many_unknown_ids_share_few_readings(monkeypatch):
    monkeypatch.setattr(module, "APART_S", 0.05)

    async def work():
        ledger = Ledger(row(minted()))
        ring = KeyRing(ledger, may_be_open=True)
        found = await asyncio.gather(*(ring.find(minted()) for _ in range(500)))
        return found, ledger.asked

    found, asked = run(work())
    assert found == [None] * 500
    assert asked <= 3


def test_a_key_that_is_made_while_a_reading_is_under_way_is_found(monkeypatch):
    monkeypatch.setattr(module, "APART_S", 0.0)

    async def work():
        ledger, new = Ledger(row(minted())), minted()
        ring = KeyRing(ledger, may_be_open=True)
        await ring.read()
        under_way = asyncio.create_task(ring.read())
        await asyncio.sleep(0)
        ledger.rows.append(row(new))
        held = await ring.find(new)
        await under_way
        return held

    assert run(work()).caller.producer == "shop"


def test_a_known_key_asks_nobody_and_a_wrong_secret_is_none():
    async def work():
        secret = minted()
        ledger = Ledger(row(secret))
        ring = KeyRing(ledger, may_be_open=True)
        await ring.read()
        held = [await ring.find(secret) for _ in range(10)]
        wrong = await ring.find(secret._replace(secret=minted().secret))
        await ring.note_uses()
        await ring.note_uses()
        return held, wrong, ledger, secret

    held, wrong, ledger, secret = run(work())
    assert None not in held
    assert wrong is None
    assert ledger.asked == 1
    assert ledger.used == [[secret.id]]


def test_what_is_not_confirmed_is_not_believed():
    async def work():
        now = SimpleNamespace(s=0.0)
        secret = minted()
        ledger = Ledger(row(secret))
        ring = KeyRing(ledger, may_be_open=True, now=lambda: now.s)
        await ring.read()
        ledger.is_away = True
        now.s = module.CONFIRMED_S
        assert await ring.find(secret)
        now.s += 0.01
        with pytest.raises(DatabaseAway):
            await ring.find(secret)
        ledger.is_away, ledger.rows = False, [row(minted())]
        now.s += 1
        return await ring.find(secret)

    assert run(work()) is None


def test_a_revocation_is_felt_within_five_seconds():
    assert module.CONFIRMED_S < 5
    assert module.LOOK_S < module.CONFIRMED_S


def test_it_is_open_only_where_it_may_be_and_when_it_knows():
    async def work(*, may_be_open):
        ledger = Ledger()
        ring = KeyRing(ledger, may_be_open=may_be_open)
        states = [ring.is_open]
        await ring.read()
        states.append(ring.is_open)
        ledger.rows = [row(minted())]
        await ring.read()
        return [*states, ring.is_open]

    assert run(work(may_be_open=True)) == [False, True, False]
    assert run(work(may_be_open=False)) == [False, False, False]


def test_an_open_door_that_is_not_confirmed_is_closed():
    """Or a first key would close nothing where the keys cannot be read any more."""

    async def work():
        now = SimpleNamespace(s=0.0)
        ledger = Ledger()
        ring = KeyRing(ledger, may_be_open=True, now=lambda: now.s)
        await ring.read()
        ledger.is_away = True
        now.s = module.CONFIRMED_S
        states = [ring.is_open]
        now.s += 0.01
        states.append(ring.is_open)
        with pytest.raises(DatabaseAway):
            await ring.confirm()
        return states

    assert run(work()) == [True, False]


def test_an_outage_is_told_by_whoever_reads_the_keys():
    told = []
    outage = SimpleNamespace(
        away=lambda error, connection: told.append(f"away: {error}, {connection}"),
        back=lambda connection: told.append(f"back: {connection}"),
    )

    async def work():
        ledger = Ledger()
        ring = KeyRing(ledger, may_be_open=True, outage=outage)
        ledger.is_away = True
        with pytest.raises(DatabaseAway):
            await ring.read()
        ledger.is_away = False
        await ring.read()

    run(work())
    assert told == ["away: away, keys", "back: keys"]


class Hanging(Ledger):
    """Answers a reading when it is told to."""

    def __init__(self, *rows):
        super().__init__(*rows)
        self.answers = []
        self.fails: Iterator[bool] = iter(())  # one for each that ends; then is_away says

    async def valid(self, digest):
        self.answers.append(answer := asyncio.Event())
        rows = list(self.rows)
        await answer.wait()
        if next(self.fails, self.is_away):
            raise DatabaseAway("away")
        return unless_known(rows, digest)


async def two_readings(ledger, ring, clock, *rows):
    """Let a reading hang for longer than a request waits, and another find `rows` as well."""
    first = asyncio.create_task(ring.read())
    await asyncio.sleep(0)
    joined = asyncio.create_task(ring.read())
    await asyncio.sleep(0)
    assert len(ledger.answers) == 1
    clock[0] += READ_MAX_S + 0.1
    ledger.rows += rows
    second = asyncio.create_task(ring.read())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(ledger.answers) == 2
    return first, joined, second


@pytest.fixture
def clock():
    return [100.0]


def test_a_reading_that_hangs_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(module, "READ_MAX_S", 0.01)

    async def work():
        ring = KeyRing(Hanging(), may_be_open=True)
        for _ in range(2):
            with pytest.raises(DatabaseAway):
                await ring.find(minted())
        await ring.close()

    run(work())


def test_beside_a_reading_that_hangs_another_begins(clock):
    async def work():
        secret = minted()
        ledger = Hanging(row(secret))
        ring = KeyRing(ledger, may_be_open=True, now=lambda: clock[0])
        _, _, second = await two_readings(ledger, ring, clock)
        ledger.answers[1].set()
        await second
        held = await ring.find(secret)
        await ring.close()
        return held

    assert run(work()).caller.producer == "shop"


def test_a_reading_that_comes_late_does_not_replace_a_later_one(clock):
    told = []
    outage = SimpleNamespace(
        away=lambda *_: told.append("away"), back=lambda *_: told.append("back")
    )

    async def work(fails):
        secret = minted()
        ledger = Hanging()  # the key is made between the two
        ring = KeyRing(ledger, may_be_open=True, now=lambda: clock[0], outage=outage)
        first, joined, second = await two_readings(ledger, ring, clock, row(secret))
        ledger.answers[1].set()
        await second
        ledger.is_away = fails
        ledger.answers[0].set()
        await asyncio.gather(first, joined, return_exceptions=True)
        held = ring.held(secret)
        await ring.close()
        return held

    for fails in (False, True):
        assert run(work(fails)) is not None
    assert told == ["back", "back"]


def test_readings_that_hang_are_two_at_most(clock):
    async def work():
        ledger = Hanging()
        ring = KeyRing(ledger, may_be_open=True, now=lambda: clock[0])
        await two_readings(ledger, ring, clock)
        clock[0] += READ_MAX_S + 0.1
        waiting = asyncio.create_task(ring.read())
        await asyncio.sleep(0)
        ledger.answers[0].set()
        await waiting
        await ring.close()
        return len(ledger.answers)

    assert run(work()) == 2


def test_of_two_readings_that_end_together_one_that_succeeds_is_enough(clock):
    async def work(succeeds):
        ledger = Hanging()
        ring = KeyRing(ledger, may_be_open=True, now=lambda: clock[0])
        await two_readings(ledger, ring, clock)
        waiting = asyncio.create_task(ring.read())
        await asyncio.sleep(0)
        ledger.fails = iter([not succeeds, True])
        for answer in ledger.answers:
            answer.set()
        await waiting

    run(work(succeeds=True))
    with pytest.raises(DatabaseAway):
        run(work(succeeds=False))


def test_a_slow_reading_counts_though_another_has_begun(clock):
    async def work():
        secret = minted()
        ledger = Hanging(row(secret))
        ring = KeyRing(ledger, may_be_open=True, now=lambda: clock[0])
        first, joined, second = await two_readings(ledger, ring, clock)
        ledger.answers[0].set()
        await asyncio.gather(first, joined)
        held = ring.held(secret)
        await ring.close()
        await asyncio.gather(second, return_exceptions=True)
        return held

    assert run(work()) is not None


def test_keys_that_have_not_changed_are_confirmed_and_kept(clock):
    async def work():
        secret, now = minted(), clock
        ring = KeyRing(Ledger(row(secret)), may_be_open=True, now=lambda: now[0])
        first = await ring.find(secret)
        now[0] += module.CONFIRMED_S + 1
        return first, await ring.find(secret), ring.has_keys

    first, second, has_keys = run(work())
    assert first is second
    assert has_keys


class Late(Ledger):
    """Reads at once, and gives each answer when it is told to."""

    def __init__(self, *rows):
        super().__init__(*rows)
        self.late = []

    async def valid(self, digest):
        event = self.late[self.asked - 1] if 0 < self.asked <= len(self.late) else None
        answer = await super().valid(digest)
        if event:
            await event.wait()
        return answer


def test_keys_that_are_again_what_they_were_replace_those_of_a_reading_between(clock):
    async def work():
        secret, brief = minted(), minted()
        ledger = Late(row(secret))
        ring = KeyRing(ledger, may_be_open=True, now=lambda: clock[0])
        await ring.read()
        ledger.late = answers = [asyncio.Event(), asyncio.Event()]
        ledger.rows.append(row(brief))  # is there while the first of two reads
        first = asyncio.create_task(ring.read())
        await asyncio.sleep(0.01)
        del ledger.rows[1]
        clock[0] += READ_MAX_S + 0.1
        second = asyncio.create_task(ring.read())
        await asyncio.sleep(0.01)
        answers[0].set()
        await first
        was_there = ring.held(brief) is not None
        answers[1].set()
        await second
        await asyncio.sleep(0.01)
        return was_there, ring.held(brief), ring.held(secret)

    was_there, brief, secret = run(work())
    assert was_there
    assert brief is None
    assert secret is not None


def test_what_a_hand_wrote_gives_no_more_than_it_may():
    odd = row(minted(), kind="team", scopes=["send", None, "admin", "operate"], channels=[None])
    nested = caller_with(row(minted(), scopes=[["admin"]], recipients=[["*@example.org"]]))
    assert (nested.scopes, nested.recipients) == (frozenset(), ())
    caller = caller_with(odd)
    assert caller.scopes == {"send"}
    assert caller.recipients == ()
    assert caller.channels == frozenset()
    assert caller_with(row(minted())).recipients is None
