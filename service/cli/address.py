"""Where the API is: --url, PORT, or what the `notify up` of this state directory wrote down."""

import argparse
from contextlib import suppress

from service.cli.settings import settings_for, state_directory
from service.embedded.running import running_up
from service.errors import StartError

DEFAULT_PORT = 3000


def base_url(args: argparse.Namespace) -> str:
    """Give the API's address."""
    if args.url:
        return str(args.url)
    port = settings_for(args).port
    running = api_of_up(args) if port == DEFAULT_PORT else None
    return running or f"http://127.0.0.1:{port}"


def api_of_up(args: argparse.Namespace) -> str | None:
    """Say where the API of a running `notify up` is, if one runs on the state directory."""
    with suppress(StartError):  # no home directory
        return running_up(state_directory(settings_for(args))).get("api")
    return None
