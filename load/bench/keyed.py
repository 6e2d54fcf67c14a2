"""What an idempotency key costs: POST /notify and INSERT with one each, beside the same without."""

import time
from statistics import mean

import psycopg

from load.bench.enqueue import CONNECTIONS, post
from load.bench.processes import BenchError
from load.bench.stack import Stack
from load.bench.table import Row

TURNS = (False, True, True, False)  # so that neither has the emptier ledger
SHARE = 0.9  # of the rate without keys
ROWS = 1000

INSERT = """
insert into notify.notifications (channel, recipient, payload, idempotency_key)
select 'log', 'bench', '{"text": "hello", "number": 42}', {key} from generate_series(1, %s)
"""


def run(stack: Stack) -> Row:
    """Measure both by turns; every row has to be in the ledger."""
    seconds = stack.options.seconds
    stack.clear()
    counts: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    with stack.role("dispatcher"), stack.role("api") as api:
        for has_keys in TURNS:
            keys = ["--keys"] if has_keys else []
            counts[has_keys].append(post(api.url, seconds, CONNECTIONS, *keys))
    accepted = sum(count["accepted"] for of_kind in counts.values() for count in of_kind)
    in_ledger = stack.sql("select count(*) from notify.notifications")[0][0]
    if in_ledger != accepted:
        raise BenchError(f"{accepted} accepted, but {in_ledger} in the ledger")
    without, with_keys = (mean(c["rate"] for c in counts[kind]) for kind in (False, True))
    plain_us, keyed_us = inserted(stack, seconds)
    return Row(
        what="POST /notify, an idempotency key each",
        figure=with_keys,
        unit="/s",
        asked=SHARE * without,
        ceiling=without,
        ceiling_is="the same without keys",
        note=f"{with_keys / without:.0%} of the rate; INSERT … SELECT {keyed_us:.0f} µs a row,"
        f" else {plain_us:.0f}",
    )


def inserted(stack: Stack, seconds: float) -> tuple[float, float]:
    """Insert by SQL, by turns; returns the microseconds of a row without and with a key."""
    took_s: dict[bool, list[float]] = {False: [], True: []}
    ends = time.perf_counter() + seconds
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        while not took_s[True] or time.perf_counter() < ends:
            for has_keys in TURNS:
                key = "gen_random_uuid()::text" if has_keys else "null"
                began = time.perf_counter()
                conn.execute(INSERT.replace("{key}", key), [ROWS])
                took_s[has_keys].append(time.perf_counter() - began)
    plain, keyed = (mean(took_s[kind]) / ROWS * 1e6 for kind in (False, True))
    return plain, keyed
