"""The entry point. It imports the rest where signals are caught: Ctrl-C prints no traceback."""

import os
import signal
import sys
from collections.abc import Sequence

NOT_FOR_US = (
    # libpq demands these at each login: a server refuses an unknown zone, PgBouncer knows no geqo.
    "PGTZ", "PGDATESTYLE", "PGGEQO",
    # prometheus_client, once imported, would write our metrics into the files of another program.
    "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, end)
    if sys.platform != "win32" and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        # Inherited from who started us; the kernel would drop the exit codes of our children.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for name in NOT_FOR_US:
        os.environ.pop(name, None)
    try:
        from service.cli.run import run

        return run(argv)
    except KeyboardInterrupt as error:
        return ended_by(error)


def ended_by(error: KeyboardInterrupt) -> int:
    """Give the exit code of a command that a signal ended: of Ctrl-C, unless another is named."""
    [number] = error.args or [signal.SIGINT]
    return 128 + number


def end(number: int, _: object) -> None:
    """End at once, as a signal ends any process but the first of a container.

    The kernel keeps from that one what it has no handler for. A command that stops in order sets a
    handler of its own.
    """
    os._exit(128 + number)
