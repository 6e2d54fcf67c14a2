"""The entry point, which imports nothing before it can be interrupted in silence."""

from collections.abc import Sequence

INTERRUPTED = 128 + 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        from service.cli.run import run

        return run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
