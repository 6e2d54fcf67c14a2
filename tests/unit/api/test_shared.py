"""One read for all who look."""

import asyncio

import pytest

from service.api.shared import Shared
from service.errors import DatabaseAway


class Source:
    """What is read: answers count from 1; it waits while `gate` is closed."""

    def __init__(self):
        self.reads = 0
        self.error = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.now_s = 100.0

    async def read(self):
        self.reads += 1
        number, error = self.reads, self.error
        await self.gate.wait()
        if error:
            raise error
        return number

    def shared(self, keep_s=3.0):
        return Shared(self.read, keep_s, now=lambda: self.now_s)


def played(play):
    async def run():
        source = Source()
        return await play(source, source.shared())

    return asyncio.run(run())


def test_fifty_who_look_at_once_share_one_read():
    async def play(source, shared):
        answers = await asyncio.gather(*(shared.get() for _ in range(50)))
        return answers, source.reads

    assert played(play) == ([1] * 50, 1)


def test_an_answer_counts_for_its_time_and_no_longer():
    async def play(source, shared):
        first = await shared.get()
        source.now_s += 2.9
        again = await shared.get()
        source.now_s += 0.1
        return first, again, await shared.get()

    assert played(play) == (1, 1, 2)


def test_a_read_that_takes_longer_than_its_time_is_not_begun_again():
    async def play(source, shared):
        source.gate.clear()
        first = asyncio.ensure_future(shared.get())
        await asyncio.sleep(0)
        source.now_s += 60
        second = asyncio.ensure_future(shared.get())
        await asyncio.sleep(0)
        source.gate.set()
        return await first, await second, source.reads

    assert played(play) == (1, 1, 1)


def test_one_who_leaves_takes_the_answer_from_nobody():
    async def play(source, shared):
        source.gate.clear()
        leaving, staying = (asyncio.ensure_future(shared.get()) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        source.gate.set()
        return await staying, source.reads

    assert played(play) == (1, 1)


def test_an_error_is_shared_and_asked_again_after_its_time():
    async def play(source, shared):
        source.error = DatabaseAway("away")
        for _ in range(2):
            with pytest.raises(DatabaseAway):
                await shared.get()
        source.error, source.now_s = None, source.now_s + 3
        return await shared.get()

    assert played(play) == 2


def test_who_is_in_a_hurry_gets_the_answer_of_before():
    async def play(source, shared):
        source.gate.clear()
        nothing = await shared.soon(0)
        source.gate.set()
        first = await shared.get()
        source.gate.clear()
        source.now_s += 3
        old = await shared.soon(0)
        source.gate.set()
        return nothing, first, old, await shared.get()

    assert played(play) == (None, 1, 1, 2)


def test_who_is_in_a_hurry_gets_the_last_good_answer_while_reads_fail():
    async def play(source, shared):
        await shared.get()
        source.error, source.now_s = DatabaseAway("away"), source.now_s + 3
        return await shared.soon(1)

    assert played(play) == 1


def test_an_answer_of_long_ago_is_not_shown_as_now():
    async def play(source, shared):
        first = await shared.soon(1)
        source.gate.clear()
        source.now_s += 6
        young = await shared.soon(0)
        source.now_s += 0.1
        old = await shared.soon(0)
        source.gate.set()
        return first, young, old, await shared.soon(1)

    assert played(play) == (1, 1, None, 2)


def test_a_slow_answer_counts_from_when_it_came():
    async def play(source, shared):
        source.gate.clear()
        nothing = await shared.soon(0)
        source.now_s += 60
        source.gate.set()
        first = await shared.get()
        source.gate.clear()
        slow = await shared.soon(0)
        source.gate.set()
        return nothing, first, slow, await shared.get()

    assert played(play) == (None, 1, 1, 2)
