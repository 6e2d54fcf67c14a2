"""`notify top`: pg_activity on our database. The application_name of a session says its role."""

import argparse
import os
import sys
from importlib.util import find_spec

from service.cli.settings import settings_beside_up
from service.config.postgres_url import libpq_environment
from service.errors import StartError
from service.process.distribution import install


def run(args: argparse.Namespace) -> int:
    """Become pg_activity. Raises StartError when it is not installed, or has no terminal."""
    settings = settings_beside_up(args)
    if find_spec("pgactivity") is None:
        raise StartError(f"pg_activity is not installed: {install('ops')}")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise StartError("notify top needs a terminal; `notify doctor` needs none")
    # The URL goes into the environment: everybody on this machine can read a command line.
    url = settings.database_url or ""
    environ = os.environ | {"PGAPPNAME": "notify-top"} | libpq_environment(url)
    os.execve(sys.executable, [sys.executable, "-m", "pgactivity"], environ)
