# PYTHON_ARGCOMPLETE_OK
"""The command line: the only place that knows both colours, asyncio and threads."""

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Ctrl-C is quiet also while modules are imported."""
    try:
        from service.cli.run import run

        return run(argv)
    except KeyboardInterrupt:
        return 130
