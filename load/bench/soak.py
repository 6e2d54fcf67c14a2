"""The whole service at half of its rate for long: does anything grow?"""

import time
from contextlib import ExitStack
from statistics import linear_regression, mean

from load.bench.days import Days
from load.bench.latency import enqueuer
from load.bench.memory import ROLES
from load.bench.proc import resident_mb
from load.bench.processes import BenchError
from load.bench.snapshot import DEAD
from load.bench.stack import Role, Sink, Stack, wait_until_all_sent
from load.bench.stream import streaming
from load.bench.table import Row
from load.bench.webhooks import deliver

PARTS = 6  # the first is for warming up; the second is compared with the last
SAMPLES = 120
TURNS = 12  # of a day
# What was enqueued in a sixth counts as its own, whenever it was sent.
P99_MS = """
select floor(extract(epoch from created_at - %s) / %s)::integer as part,
  percentile_cont(0.99) within group (order by extract(epoch from settled_at - created_at) * 1000)
from notify.notifications where created_at >= %s group by part order by part
"""


def run(stack: Stack) -> list[Row]:
    """Stream webhooks, and 20/s by the API; compare the last sixth of the time with the second."""
    seconds = stack.options.long_seconds
    with stack.sink() as sink:
        rate = deliver(stack, sink, stack.options.rows * 2 // 3) / 2
        stack.clear()
        days, samples = Days(stack), Samples(stack, sink)
        with ExitStack() as exits:
            roles = {name: exits.enter_context(stack.role(name)) for name in ROLES}
            enqueue = enqueuer(roles["api"], sink)
            with streaming(stack, f"{sink.url}/hook", rate, enqueue):
                [(began,)] = stack.sql("select clock_timestamp()")
                samples.take(roles, seconds, days)
            wait_until_all_sent(stack)
    part_s = seconds / PARTS
    p99 = dict(stack.sql(P99_MS, began, part_s, began))
    if not days.dropped:
        raise BenchError("no day turned over")
    note = f"{rate:,.0f}/s; p99 of each sixth {', '.join(f'{p99[n]:.0f}' for n in range(PARTS))} ms"
    return [
        Row(
            what=f"soak of {seconds:g} s at half load, enqueue to settled, p99 at the end",
            figure=p99[PARTS - 1],
            unit="ms",
            asked_ratio=1.25,
            ceiling=p99[1],
            ceiling_is="at the start",
            note=f"{note}; {days.dropped} days dropped",
        ),
        *(samples.memory(name) for name in ROLES),
        samples.dead(),
    ]


class Samples:
    """What was seen as time went by."""

    def __init__(self, stack: Stack, sink: Sink) -> None:
        self._stack = stack
        self._sink = sink
        self._at: list[float] = []
        self._mb: dict[str, list[float]] = {name: [] for name in ROLES}
        self._dead: list[float] = []

    def take(self, roles: dict[str, Role], seconds: float, days: Days) -> None:
        """Look at everything again and again, and let days turn over."""
        began = time.monotonic()
        for number in range(SAMPLES):
            time.sleep(max(0.0, began + seconds * number / SAMPLES - time.monotonic()))
            self._at.append(time.monotonic() - began)
            for name, role in roles.items():
                self._mb[name].append(resident_mb(role.running.process.pid))
            self._dead.append(float(self._stack.sql(DEAD)[0][0]))
            self._sink.ask("/forget")  # it would keep every id
            if number % (SAMPLES // TURNS) == SAMPLES // TURNS - 1:
                days.turn()

    def memory(self, name: str) -> Row:
        """Compare a role's memory at the end with that at the start."""
        values, part = self._mb[name], SAMPLES // PARTS
        slope = linear_regression(self._at[part:], values[part:]).slope
        return Row(
            what=f"… memory of `notify {name}` at the end",
            figure=mean(values[-part:]),
            unit="MB",
            asked_ratio=1.05,
            ceiling=mean(values[part : 2 * part]),
            ceiling_is="at the start",
            note=f"slope {slope * 60:+.3f} MB a minute",
        )

    def dead(self) -> Row:
        """Compare the most dead rows of the last third with those of the third before."""
        third = SAMPLES // 3
        return Row(
            what="… dead rows at most",
            figure=max(self._dead[-third:]),
            unit="",
            asked_ratio=1.5,
            ceiling=max(1.0, *self._dead[-2 * third : -third]),
            ceiling_is="in the third before",
        )
