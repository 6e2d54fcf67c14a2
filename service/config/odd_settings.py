"""Settings that are allowed and yet may be mistakes: one line for each, logged at the start."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from service.config.env_file import read_env_file, unreadable
from service.config.settings import NAMES, Settings, is_direct_astray, retired_settings
from service.signature import key

SECRET_BYTES_MIN = 24  # Standard Webhooks: 24 to 64
ALIKE = 0.85  # difflib's ratio of two names: one letter in eight differs
PREFIX = "NOTIFY_"
# The first is of docker-compose.yml; the others belong to many other programs.
OTHERS = frozenset({"REDIS_PASSWORD", "LOGLEVEL", "LOG_LEVELS"})


def odd_settings(
    settings: Settings, environ: Mapping[str, str] | None = None, env_file: Path | None = None
) -> Iterator[str]:
    """Give a line for what is set but not read, or may be a mistake. No value is shown."""
    environ = os.environ if environ is None else environ
    path = env_file or Path(".env")
    yield from retired_settings(environ, path)
    yield from (f"line {line} of {path} is no NAME=value" for line in unreadable(path))
    written = read_env_file(path, environ, NAMES)
    if is_direct_astray(written, environ) and not environ.get("DATABASE_DIRECT_URL", "").strip():
        yield (
            f"DATABASE_DIRECT_URL in {path} is not used: it belongs to the DATABASE_URL there, and"
            " the environment gives another database: set its own beside that one"
        )
    for name in written:
        if wanted := meant(name):
            yield f"{name} in {path} is no setting: did you mean {wanted}?"
    for name in environ:
        wanted = meant(name)
        if wanted and "_" in wanted:  # many programs have names like HOST and PORT
            yield f"{name} is no setting: did you mean {wanted}?"
    yield from weak_secrets(settings)
    yield from unused_waits(settings)
    yield from payload_days(settings)


def meant(name: str) -> str | None:
    """Return the setting that a name perhaps means; None: it is a setting, or resembles none."""
    if name in NAMES or name in OTHERS:
        return None
    plain = name.upper().replace("-", "_").removeprefix(PREFIX)
    return next(iter(get_close_matches(plain, NAMES, 1, ALIKE)), None)


def weak_secrets(settings: Settings) -> Iterator[str]:
    """Warn of secrets that can be guessed."""
    if any(len(key(secret)) < SECRET_BYTES_MIN for secret in settings.webhook_secret):
        yield (
            f"WEBHOOK_SECRET holds a secret of fewer than {SECRET_BYTES_MIN} bytes, which can be "
            'guessed: make one by  echo "whsec_$(openssl rand -base64 32)"'
        )


def unused_waits(settings: Settings) -> Iterator[str]:
    """Warn of waits that are never used, as there are too few attempts."""
    longest = max(map(len, settings.retry_schedules.values()))
    if longest > max(settings.max_retries, len(Settings().retry_schedule)):
        yield (
            f"RETRY_SCHEDULE has {longest} waits, and MAX_RETRIES={settings.max_retries} uses the "
            f"first {settings.max_retries}"
        )


def payload_days(settings: Settings) -> Iterator[str]:
    """Warn of payloads that are never emptied, as their notifications go first."""
    days, retention = settings.payload_days, settings.retention_days
    if days is not None and days >= retention:
        yield f"PAYLOAD_DAYS={days} does nothing: RETENTION_DAYS={retention} drops the rows by then"
