"""The event loop: names whose servers are silent hold up neither the others nor its end."""

import asyncio
import socket
import time

import pytest

from service.names import event_loop
from service.names.event_loop import EventLoop
from tests.waiting import LIMIT_S

NAMES = 50  # more than there are threads in any pool of a loop


def run(main):
    with asyncio.Runner(loop_factory=EventLoop) as runner:
        return runner.run(main)


@pytest.mark.usefixtures("resolver")
def test_a_silent_resolver_holds_up_no_other_name_and_not_the_end():
    async def main():
        loop = asyncio.get_running_loop()
        silent = [
            asyncio.ensure_future(loop.getaddrinfo(f"{number}.dead.test", 80))
            for number in range(NAMES)
        ]
        await asyncio.sleep(0)
        answers = await asyncio.gather(*[loop.getaddrinfo(f"{n}.test", 80) for n in range(NAMES)])
        for task in silent:
            task.cancel()
        return {answer[0][4] for answer in answers}

    began = time.monotonic()
    assert run(main()) == {("127.0.0.1", 80)}
    assert time.monotonic() - began < 30  # they hang for a minute


@pytest.mark.usefixtures("resolver")
def test_a_name_that_nobody_answers_for_is_an_error_in_time(monkeypatch):
    monkeypatch.setattr(event_loop, "ANSWER_MAX_S", 0.05)

    async def main():
        await asyncio.open_connection("a.dead.test", 80)

    with pytest.raises(OSError, match="does not answer"):
        run(main())


@pytest.mark.usefixtures("resolver")
@pytest.mark.parametrize("host", ["a.test", "127.0.0.1", "localhost"])
def test_a_connection_is_made_to_a_name_and_to_an_address(host):
    async def main():
        async def greet(_, writer):
            writer.write(b"hello")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(host, server.sockets[0].getsockname()[1])
        said = await reader.read()
        writer.close()
        server.close()
        return said

    assert run(main()) == b"hello"


def test_each_address_is_tried_and_the_last_error_is_raised(resolver):
    resolver.answers["a.test"] = ["::1", "127.0.0.1"]
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))

        async def main():
            await asyncio.open_connection("a.test", nobody.getsockname()[1])

        with pytest.raises(ConnectionRefusedError):
            run(main())


async def answered_late(resolver):
    """Ask for a name whose answer comes when nobody waits for it any more; returns the loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, EventLoop)
    with pytest.raises(OSError, match="does not answer"):
        await loop.getaddrinfo("a.dead.test", 80)
    resolver.release.set()
    [late] = loop.looking.values()
    await asyncio.wait([late])
    return loop


def test_what_comes_late_is_there_for_who_asks_again(resolver, monkeypatch):
    monkeypatch.setattr(event_loop, "ANSWER_MAX_S", 0.05)

    async def main():
        loop = await answered_late(resolver)
        answer = await loop.getaddrinfo("a.dead.test", 80)
        assert not loop.looking
        return answer

    assert run(main())[0][4] == ("127.0.0.1", 80)
    assert resolver.asked == {"a.dead.test": 1}


def test_what_nobody_asks_for_again_is_forgotten(resolver, monkeypatch):
    monkeypatch.setattr(event_loop, "ANSWER_MAX_S", 0.05)
    monkeypatch.setattr(event_loop, "LATE_S", 0.0)

    async def main():
        loop = await answered_late(resolver)
        async with asyncio.timeout(LIMIT_S):
            while loop.looking:  # noqa: ASYNC110 - nobody sets an event for a test
                await asyncio.sleep(0)

    run(main())
