"""Settings for one command: the environment and .env, with the command's own options on top."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

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


def settings_beside_up(args: argparse.Namespace) -> Settings:
    """Read the settings; without DATABASE_URL, those of the `notify up` of this state directory.

    Raises ConfigError when neither says where the database is.
    """
    from service.embedded.kept import kept_settings
    from service.embedded.state import default_state

    settings = settings_for(args)
    if settings.database_url is None:
        directory = Path(settings.notify_state) if settings.notify_state else default_state()
        kept = kept_settings(directory)
        given = {name for name in kept if getattr(settings, name)}
        settings = replace(settings, **{k: v for k, v in kept.items() if k not in given})
    required(settings, "database_url")
    return settings


def required(settings: Settings, *names: str) -> None:
    """Refuse to start without these. Raises ConfigError."""
    for name in names:
        if getattr(settings, name) is None:
            raise ConfigError(
                f"{name.upper()} is missing: set it, or try `notify up`, which brings its own"
            )
