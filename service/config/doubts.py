"""What is odd about the settings, and not wrong: told in one line each, at the start."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from service.config.env_file import read_env_file, unreadable
from service.config.settings import NAMES, Settings, retired_settings
from service.signature import key

SECRET_BYTES_MIN = 24  # Standard Webhooks: 24 to 64
ALIKE = 0.85  # of two names, by difflib: one letter more, less or other in eight
PREFIX = "NOTIFY_"
OTHERS = frozenset({"REDIS_PASSWORD", "LOGLEVEL", "LOG_LEVELS"})  # of compose, and of many


def doubts(
    settings: Settings, environ: Mapping[str, str] | None = None, env_file: Path | None = None
) -> Iterator[str]:
    """Say what was given and is not read, or may not be meant. No value is shown."""
    environ = os.environ if environ is None else environ
    path = env_file or Path(".env")
    yield from retired_settings(environ, path)
    yield from (f"line {line} of {path} is no NAME=value" for line in unreadable(path))
    for name in read_env_file(path, environ, NAMES):
        if wanted := meant(name):
            yield f"{name} in {path} is no setting: did you mean {wanted}?"
    for name in environ:
        wanted = meant(name)
        if wanted and "_" in wanted:  # HOST and PORT are like too many names of others
            yield f"{name} is no setting: did you mean {wanted}?"
    yield from secret_doubts(settings)
    yield from schedule_doubts(settings)


def meant(name: str) -> str | None:
    """Give the setting that a name is meant for; None: it is one, or is like none."""
    if name in NAMES or name in OTHERS:
        return None
    plain = name.upper().replace("-", "_").removeprefix(PREFIX)
    return next(iter(get_close_matches(plain, NAMES, 1, ALIKE)), None)


def secret_doubts(settings: Settings) -> Iterator[str]:
    """Tell secrets that can be guessed."""
    if any(len(key(secret)) < SECRET_BYTES_MIN for secret in settings.webhook_secret):
        yield (
            f"WEBHOOK_SECRET holds a secret of fewer than {SECRET_BYTES_MIN} bytes, which can be "
            'guessed: make one by  echo "whsec_$(openssl rand -base64 32)"'
        )


def schedule_doubts(settings: Settings) -> Iterator[str]:
    """Tell waits that no attempt comes to."""
    longest = max(map(len, settings.retry_schedules.values()))
    if longest > max(settings.max_retries, len(Settings().retry_schedule)):
        yield (
            f"RETRY_SCHEDULE has {longest} waits, and MAX_RETRIES={settings.max_retries} uses the "
            f"first {settings.max_retries}"
        )
