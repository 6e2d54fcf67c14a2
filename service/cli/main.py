"""The entry point. It imports the rest where Ctrl-C is caught, so that no traceback is printed."""

from collections.abc import Sequence

INTERRUPTED = 128 + 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        from service.cli.run import run

        return run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
