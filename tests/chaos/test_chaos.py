"""Each of these ends in the same checks: nothing lost, nothing stuck, attempts within their limit,
each (id, attempt) settled at most once; and every duplicate has its explanation.
"""

import time
from random import Random

import pytest

from load.chaos.faults.postgres import LISTENING
from load.chaos.judge import Verdict, judge
from load.chaos.schedule import play, play_all
from load.chaos.stand import Stand
from tests.waiting import LIMIT_S, wait_for

pytestmark = pytest.mark.slow

REST_MAX_S = 120.0  # how long it takes is the chaos run's to judge, and the machine's to decide
MANY = (
    "kill_worker",
    "kill_dispatcher",
    "kill_api",
    "restart_postgres",
    "terminate_backends",
    "disk_full",
    "flush_redis",
    "pause_redis",
    "provider_fails",
    "provider_resets",
    "read_only",
    "provider_down",
)
WEBHOOKS = """
insert into notify.notifications (channel, recipient, payload)
select 'webhook', %s, '{}' from generate_series(1, %s)
"""


def verdict_of(stand: Stand) -> Verdict:
    """Wait until all has come to rest, and hold it to every promise."""
    stand.rest(REST_MAX_S)
    verdict = judge(stand)
    assert verdict.broken == []
    return verdict


def extra(verdict: Verdict) -> int:
    """Count what arrived again."""
    return sum(one.extra for one in verdict.duplicates)


def test_worker_that_is_killed_while_it_sends_loses_nothing(stand: Stand) -> None:
    stand.sink.ask("mood hangs")
    stand.servers.sql(WEBHOOKS, stand.sink_url, 40)
    wait_for(lambda: len(stand.arrivals()) >= 40)
    for worker in stand.workers:
        worker.kill()
    stand.sink.ask("mood fine")
    for worker in stand.workers:
        worker.start()

    verdict = verdict_of(stand)

    assert verdict.statuses == {"sent": 40}
    assert extra(verdict) == 40, "each was being sent, and nobody could know that it had arrived"


def test_postgresql_that_is_killed_amid_batches_keeps_what_was_accepted(stand: Stand) -> None:
    with stand.producing(seed=1, rate=150):
        wait_for(lambda: len(stand.arrivals()) > 100)
        play(stand, Random(1), "kill_postgres")
        back_at = time.time()
        wait_for(lambda: stand.arrivals()[-1]["at"] > back_at)

    verdict = verdict_of(stand)

    assert verdict.offered["accepted"] == verdict.in_ledger["accepted"] > 0
    assert verdict.offered["refused"] + verdict.offered["unknown"] > 0, "the kill hit nobody"


def test_delivery_goes_on_while_redis_is_dead_and_after_a_flush(stand: Stand) -> None:
    with stand.producing(seed=2, rate=150):
        wait_for(lambda: len(stand.arrivals()) > 50)
        stand.servers.kill_redis()
        killed_at = time.time()
        wait_for(lambda: stand.arrivals()[-1]["at"] > killed_at + 3)
        stand.servers.start_redis()
        play(stand, Random(2), "flush_redis")
        flushed_at = time.time()
        wait_for(lambda: stand.arrivals()[-1]["at"] > flushed_at + 1)

    verdict = verdict_of(stand)

    assert extra(verdict) == 0
    assert verdict.offered["accepted"] == verdict.offered.total()


def test_listener_without_anybody_at_the_other_end_is_replaced(stand: Stand) -> None:
    wait_for(lambda: stand.postgres_link.ask(f"half_open {LISTENING}") != "0")
    stand.servers.sql(WEBHOOKS, stand.sink_url, 1)
    wait_for(stand.arrivals)
    wait_for(lambda: stand.postgres_link.ask(f"heard {LISTENING}") != "0")

    verdict = verdict_of(stand)

    assert verdict.statuses == {"sent": 1}
    assert extra(verdict) == 0


def test_deploy_under_load_loses_nothing_and_sends_nothing_twice(stand: Stand) -> None:
    with stand.producing(seed=3, rate=200):
        for worker in stand.workers:
            seen = len(stand.arrivals())
            wait_for(lambda seen=seen: len(stand.arrivals()) > seen + 100)
            stand.stops.append(worker.terminate(LIMIT_S))
            worker.start()

    verdict = verdict_of(stand)

    assert extra(verdict) == 0
    assert [stop.code for stop in stand.stops] == [0, 0]


def test_worker_that_slept_beyond_its_lease_changes_nothing(stand: Stand) -> None:
    stand.sink.ask("mood hangs")
    stand.servers.sql(WEBHOOKS, stand.sink_url, 40)
    wait_for(lambda: len(stand.arrivals()) >= 40)
    for worker in stand.workers:
        worker.pause()
    stand.sink.ask("mood fine")
    wait_for(
        lambda: (
            not stand.servers.sql("select id from notify.notifications where status = 'sending'")
        )
    )
    for worker in stand.workers:
        worker.resume()

    verdict = verdict_of(stand)

    assert verdict.statuses == {"sent": 40}
    assert any('"event":"stale"' in worker.log.read_text() for worker in stand.workers)


def test_everything_killed_at_once_comes_back_with_everything(stand: Stand) -> None:
    with stand.producing(seed=4, rate=150):
        wait_for(lambda: len(stand.arrivals()) > 100)
        play(stand, Random(4), "kill_everything")
        back_at = time.time()
        wait_for(lambda: stand.arrivals()[-1]["at"] > back_at)

    verdict = verdict_of(stand)

    assert verdict.offered["accepted"] == verdict.in_ledger["accepted"] > 0


def test_short_random_run_keeps_every_promise(stand: Stand) -> None:
    with stand.producing(seed=5, rate=100):
        play_all(stand, Random(5), MANY, seconds=15, say=print, gap_s=(0.5, 2))

    verdict = verdict_of(stand)

    assert stand.played
    assert {stop.code for stop in stand.stops} <= {0}
    assert verdict.offered["accepted"] == verdict.in_ledger["accepted"] > 0
