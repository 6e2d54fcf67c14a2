# PYTHON_ARGCOMPLETE_OK
"""The command line: the only place that knows both colours, asyncio and threads."""

from service.cli.main import main

__all__ = ["main"]
