"""Settings for one command: the environment and .env, with the command's own options on top."""

import argparse
import os

from service.config import Settings, read_settings
from service.errors import ConfigError

OPTIONS = ("port", "host", "state", "database_url")
VARIABLES = {"state": "NOTIFY_STATE"}


def settings_for(args: argparse.Namespace) -> Settings:
    """Read the settings; an option counts as its variable. Raises ConfigError."""
    environ = dict(os.environ)
    for option in OPTIONS:
        value = getattr(args, option, None)
        if value is not None:
            environ[VARIABLES.get(option, option.upper())] = value
    return read_settings(environ)


def required(settings: Settings, *names: str) -> None:
    """Refuse to start without these. Raises ConfigError."""
    for name in names:
        if getattr(settings, name) is None:
            raise ConfigError(
                f"{name.upper()} is missing: set it, or try `notify up`, which brings its own"
            )
