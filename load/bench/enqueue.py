"""POST /notify by many connections at once, each request answered after its commit."""

from load.bench.processes import BenchError, run_module
from load.bench.stack import Stack
from load.bench.table import Row

CONNECTIONS = 64
ASKED = 0.6  # of the bare echo


def run(stack: Stack) -> Row:
    """Measure `notify api`, with a dispatcher that listens as it would."""
    with stack.server("echo") as echo:
        bare = post(echo, stack.options.seconds)
    stack.clear()
    with stack.role("dispatcher"), stack.role("api") as api:
        counts = post(api.url, stack.options.seconds)
    in_ledger = stack.sql("select count(*) from notify.notifications")[0][0]
    if in_ledger != counts["accepted"]:
        raise BenchError(f"{counts['accepted']} answered 202, but {in_ledger} in the ledger")
    return Row(
        what=f"POST /notify, {CONNECTIONS} connections",
        figure=counts["rate"],
        unit="/s",
        asked=ASKED * bare["rate"],
        ceiling=bare["rate"],
        ceiling_is="bare aiohttp + uvloop + msgspec echo",
        note=f"p99 {counts['p99_ms']:.0f} ms",
    )


def post(url: str, seconds: float, connections: int = CONNECTIONS, *more: str) -> dict[str, float]:
    """POST for so long; `more`: options of the client. Raises BenchError if anything is refused."""
    counts = run_module(
        "client", f"{url}/notify", "--connections", connections, "--seconds", seconds, *more
    )
    if counts["refused"]:
        raise BenchError(f"{counts['refused']} requests were not answered 202")
    return counts
