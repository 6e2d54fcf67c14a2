"""What is said of sessions that were looked at."""

from load.bench.sessions import Seen
from load.bench.usage import Usage

LOOKS = (
    [("notify-work", True, "working"), ("notify-work", False, "Client:ClientRead")],
    [("notify-work", True, "working"), ("notify-disp", True, "IO:WalSync")],
    [("notify-api", True, "IO:WalSync"), ("notify-api", True, "working")],
    [],
)


def test_shares_are_of_active_sessions_and_the_mean_is_of_all_looks():
    seen = Seen()
    for rows in LOOKS:
        seen.add(rows)
    assert seen.spelled() == "1.2 active: working 60%, IO:WalSync 40%"


def test_the_most_of_each_may_have_been_at_different_times():
    seen = Seen()
    for rows in LOOKS:
        seen.add(rows)
    assert dict(seen.most) == {"notify-work": 2, "notify-disp": 1, "notify-api": 2}
    assert seen.most_of_all == 2


def test_nothing_seen_is_said_without_a_share():
    assert Seen().spelled() == "0.0 active: "


def test_our_own_looks_are_not_postgresqls():
    before = Usage(cpu_s={"worker": 1.0, "PostgreSQL": 2.0}, wal_bytes=100.0)
    after = Usage(cpu_s={"worker": 1.5, "PostgreSQL": 4.0}, wal_bytes=400.0)
    used = after.since(before, looks_s=0.5)
    assert used == Usage(cpu_s={"worker": 0.5, "PostgreSQL": 1.5}, wal_bytes=300.0)
    assert used.each_us(1000) == {"worker": 500.0, "PostgreSQL": 1500.0}
