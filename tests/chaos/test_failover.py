"""A streaming replica is promoted under load."""

from random import Random

import pytest

from load.chaos.judge import judge
from load.chaos.schedule import play
from load.chaos.stand import scratch_stand
from tests.waiting import wait_for

pytestmark = pytest.mark.slow

REST_MAX_S = 120.0


def test_what_was_accepted_is_delivered_by_the_replica_that_is_promoted() -> None:
    with scratch_stand(apis=1, dispatchers=1, workers=2, replica=True) as stand:
        with stand.producing(seed=6, rate=150):
            wait_for(lambda: len(stand.arrivals()) > 200)
            played = play(stand, Random(6), "failover")
            wait_for(lambda: stand.arrivals()[-1]["at"] > played.ended)
            seen = len(stand.arrivals())
            wait_for(lambda: len(stand.arrivals()) > seen + 200)
        stand.rest(REST_MAX_S)
        verdict = judge(stand)

    assert verdict.broken == []
    assert verdict.offered["accepted"] == verdict.in_ledger["accepted"] > 0
    assert any(at > played.ended for _, at in verdict.sent)
