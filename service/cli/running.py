"""Running until a signal asks us to stop: the signals, and the event loop."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from loguru import logger

from service.errors import NotifyError, UnexpectedEnd
from service.logs import logs

LOGS_OUT_S = 0.1  # the thread that writes them needs a moment

Main = Callable[[asyncio.Event], Awaitable[None]]


def run_until_stopped(
    main: Main, early_signals: Sequence[int] = (), at_once: Callable[[], None] | None = None
) -> int:
    """Run `main(stop)`; a signal to end sets `stop`, a second one ends the process at once.

    `early_signals` are those of end_by_signals(); `at_once` is called before the process ends at
    once. Raises UnexpectedEnd when `main` or a thread ended although nobody asked it to stop.
    """
    if early_signals:
        raise KeyboardInterrupt(early_signals[0])
    try:
        return on_our_loop(with_signals(main, at_once))
    except SystemExit as error:
        raise UnexpectedEnd(f"something in it called exit({error.code})") from error
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a closed terminal may send more


def on_our_loop(work: Coroutine[Any, Any, int]) -> int:
    """Run until it ends; closing the loop does not wait for names that are being looked up."""
    try:
        if sys.platform == "win32":
            return asyncio.run(work)
        from service.names.event_loop import EventLoop

        with asyncio.Runner(loop_factory=EventLoop) as runner:
            return runner.run(work)
    finally:
        work.close()  # after Ctrl-C before its first step, Python would print "was never awaited"


async def with_signals(main: Main, at_once: Callable[[], None] | None = None) -> int:
    """Run `main`; raises UnexpectedEnd when anything but a signal ends it."""
    stop = asyncio.Event()
    hurry = 0

    def on_signal(number: int) -> None:
        nonlocal hurry
        hurry += number != signal.SIGHUP
        if hurry > 1:
            logger.warning("stopped_at_once")
            if at_once is not None:
                at_once()
            time.sleep(LOGS_OUT_S)
            os._exit(130)
        if not stop.is_set():
            logger.info("stopping", signal=signal.Signals(number).name)
            stop.set()

    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, on_signal, number)
    unblock(stop_signals())
    with threads_watched(loop, stop) as deaths:
        try:
            await main(stop)
        except NotifyError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            logger.opt(exception=error).error("unexpected_error", task="main")
            raise UnexpectedEnd(f"{type(error).__name__}: {logs.first_line(error)}") from error
    if deaths:
        raise UnexpectedEnd(deaths[0])
    if not stop.is_set():
        raise UnexpectedEnd("it stopped without being told to")
    return 0


def end_by_signals() -> list[int]:
    """Let a signal before the event loop act as Ctrl-C: the servers that we started end, too.

    KeyboardInterrupt says which. Returns the signals that came: an exception in the middle of a
    fork is lost.
    """
    signals: list[int] = []

    def on_signal(number: int, _: object) -> None:
        signals.append(number)
        raise KeyboardInterrupt(number)

    for number in stop_signals():
        signal.signal(number, on_signal)
    unblock(stop_signals())
    return signals


@contextmanager
def signals_first(signals: Sequence[int]) -> Iterator[None]:
    """Take what goes wrong after a signal of end_by_signals() for its consequence.

    A library may turn the interrupt of its work into an error of its own.
    """
    try:
        yield
    except Exception as error:
        if signals:
            raise KeyboardInterrupt(signals[0]) from error
        raise


def unblock(numbers: Sequence[signal.Signals]) -> None:
    """Unblock signals that have a handler: whoever started us may have blocked them for us too."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


def stop_signals() -> list[signal.Signals]:
    """Name the signals that ask us to stop: SIGHUP of a closed terminal too, unless under nohup.

    A closed terminal may send several (its shell's and the kernel's), and service managers send one
    after SIGTERM: so a SIGHUP never means that somebody is in a hurry.
    """
    obeys_hangup = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM] + [signal.SIGHUP] * obeys_hangup


@contextmanager
def threads_watched(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> Iterator[list[str]]:
    """Stop when any thread of this process dies; yields the list that says which ones did."""
    deaths: list[str] = []

    def on_death(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "?"
        error = args.exc_value or args.exc_type()
        logger.opt(exception=error).error("unexpected_error", thread=name)
        deaths.append(f"thread {name} ended: {type(error).__name__}: {logs.first_line(error)}")
        loop.call_soon_threadsafe(stop.set)

    before, threading.excepthook = threading.excepthook, on_death
    try:
        yield deaths
    finally:
        threading.excepthook = before
