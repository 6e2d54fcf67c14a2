"""Settings for one command: the environment and .env, with the command's own options on top."""

import argparse
import os
from dataclasses import replace
from pathlib import Path

from service.cli.sandboxed import sandboxed
from service.config.settings import Settings, read_settings
from service.errors import ConfigError, StartError
from service.names.guard import LOOPBACK

OPTIONS = ("port", "host", "state", "database_url")
VARIABLES = {"state": "NOTIFY_STATE"}


def settings_for(args: argparse.Namespace) -> Settings:
    """Read the settings; an option takes the place of its variable. Raises ConfigError."""
    environ = dict(os.environ)
    for option in OPTIONS:
        value = getattr(args, option, None)
        if value is not None:
            environ[variable(option)] = value
    try:
        return read_settings(environ)
    except ConfigError as error:
        raise ConfigError(as_typed(str(error), args)) from None


def variable(option: str) -> str:
    """Name the variable whose place an option takes."""
    return VARIABLES.get(option, option.upper())


def as_typed(text: str, args: argparse.Namespace) -> str:
    """Name the option that was typed, not its variable: `--port x` instead of `PORT=x`."""
    for option in OPTIONS:
        if getattr(args, option, None) is not None and text.startswith(f"{variable(option)}="):
            return f"--{option.replace('_', '-')} {text.partition('=')[2]}"
    return text


def settings_beside_up(args: argparse.Namespace) -> Settings:
    """Read the settings; without DATABASE_URL, those of the `notify up` of this state directory.

    Raises ConfigError when neither says where the database is.
    """
    from service.embedded.kept import kept_settings
    from service.embedded.running import running_up

    settings = settings_for(args)
    if settings.database_url is not None:
        return settings
    directory = state_directory(settings)
    if lacking := what_lacks(directory):
        raise ConfigError(f"DATABASE_URL is missing, and {lacking}")
    settings = for_own_database(settings)
    kept = kept_settings(directory) | inbox_settings(directory)
    settings = replace(settings, **{k: v for k, v in kept.items() if not getattr(settings, k)})
    required(settings, "database_url")
    if running_up(directory).get("is_sandbox"):
        return sandboxed(settings)
    return with_loopback(settings)


def for_own_database(settings: Settings) -> Settings:
    """Forget what would lead a `notify up` with a database of its own to somebody else's.

    libpq completes any URL from its variables, and DATABASE_DIRECT_URL, which migrations, LISTEN
    and locks prefer, is the way past a pooler to the database that DATABASE_URL no longer names.
    """
    from service.config.postgres_url import forget_libpq_variables

    forget_libpq_variables()
    return replace(settings, database_direct_url=None)


def with_loopback(settings: Settings) -> Settings:
    """Let webhooks reach this machine, as a `notify up` with a database of its own does.

    It is for trying out, and its inbox listens here.
    """
    return replace(settings, webhook_allow=settings.webhook_allow | LOOPBACK)


def inbox_settings(directory: Path) -> dict[str, str]:
    """Give the settings by which mail reaches the inbox of a running `notify up`, if it has one."""
    from service.embedded.running import running_up

    smtp_url = running_up(directory).get("smtp_url")
    return {"smtp_url": smtp_url, "mail_from": "notify@localhost"} if smtp_url else {}


def state_directory(settings: Settings) -> Path:
    """Name the state directory. Raises StartError if it would be in a home that is missing."""
    from service.embedded.state import default_state

    if settings.notify_state is None:
        return default_state()
    try:
        return Path(settings.notify_state).expanduser()  # no shell has read .env
    except RuntimeError:
        raise StartError(f"NOTIFY_STATE={settings.notify_state}: no such home") from None


def what_lacks(directory: Path) -> str | None:
    """Say why there is no running database of a state directory; None: there is one."""
    from service.embedded.running import is_in_use

    try:
        kept = (directory / "kept.json").read_bytes()
    except PermissionError:
        return f"the state in {directory} is not ours to read: run this as its owner"
    except (OSError, ValueError):
        kept = b""
    if not kept:
        return f"no `notify up` has kept a state in {directory}: say where by --state"
    if not is_in_use(directory):
        return f"the `notify up` of {directory} does not run: start it"
    return None


def required(settings: Settings, *names: str) -> None:
    """Refuse to start without these. Raises ConfigError."""
    for name in names:
        if getattr(settings, name) is None:
            raise ConfigError(
                f"{name.upper()} is missing: set it, or try `notify up`, which brings its own"
            )
