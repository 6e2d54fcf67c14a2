"""Settings: read once from the environment and `.env`, checked, frozen, and passed down.

The names, units, defaults and reasons are in `.env.example`; a test keeps the two alike.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from service.config.env_file import read_env_file
from service.config.parsers import (
    Parser,
    api_key,
    auto_or,
    durations,
    host_names,
    mail_from,
    name,
    number,
    one_of,
    ports,
    postgres_url,
    redis_url,
    secrets,
    switch,
    text,
    url,
    whole,
)
from service.config.postgres_url import is_same_database
from service.errors import ConfigError
from service.model.words import Channel
from service.names.guard import Guard, Places, guard, places

PRIVATE = r"[@=]|://|whsec_|.{41}"  # a URL, libpq's key=value, a secret, or a long text
# A claim may take this long (workers/ledger_session.py), and its lease begins before it.
LEASE_SPARE_S = 4.0


def setting(parse: Parser, default: Any) -> Any:
    """Declare a field: its environment variable is the field's name in capitals."""
    return field(default=default, metadata={"parse": parse})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. None means: not set."""

    database_url: str | None = setting(postgres_url, None)
    database_direct_url: str | None = setting(postgres_url, None)
    redis_url: str | None = setting(redis_url, None)
    notify_state: str | None = setting(text, None)
    environment: str | None = setting(name, None)

    host: str = setting(text, "127.0.0.1")
    port: int = setting(whole(1, 65535), 3000)
    allowed_hosts: tuple[str, ...] = setting(host_names, ())
    api_open: bool = setting(switch, False)
    notify_key: str | None = setting(api_key, None)
    connections_max: int | None = setting(whole(1, 65536), None)
    metrics_port: int = setting(whole(1, 65535), 9100)

    worker_processes: int | None = setting(auto_or(whole(1, 64)), None)
    num_threads: int = setting(whole(1, 64), 2)
    sends_per_thread: int = setting(whole(2, 4096), 256)
    max_retries: int = setting(whole(0, 99), 3)
    retry_schedule: tuple[float, ...] = setting(durations, (5.0, 60.0, 600.0))
    retry_schedule_webhook: tuple[float, ...] | None = setting(durations, None)
    retry_schedule_email: tuple[float, ...] | None = setting(durations, None)
    retry_schedule_log: tuple[float, ...] | None = setting(durations, None)
    lease_s: float = setting(number(1, 3600), 30.0)
    send_deadline_s: float = setting(number(0.1, 600), 10.0)
    breaker_patience_mins: float = setting(number(0, 10080), 60.0)
    shutdown_grace_s: float = setting(number(0, 600), 15.0)

    reaping_interval_mins: float = setting(number(0.01, 1440), 1.0)
    reconciliation_interval_mins: float = setting(number(0.01, 1440), 1.0)
    gauges_interval_s: float = setting(number(0.5, 3600), 5.0)
    idempotency_hours: float = setting(number(0.01, 720), 24.0)
    retention_days: int = setting(whole(1, 3650), 30)
    payload_days: int | None = setting(whole(1, 3650), None)
    send_at_max_days: int = setting(whole(0, 365), 30)

    webhook_secret: tuple[str, ...] = setting(secrets, ())
    webhook_private: bool = setting(switch, False)
    webhook_allow: Places = setting(places, Places())  # noqa: RUF009 - it is frozen
    webhook_deny: Places = setting(places, Places())  # noqa: RUF009 - it is frozen
    webhook_ports: tuple[int, ...] = setting(ports, ())
    webhook_proxy_url: str | None = setting(url("http", "https"), None)
    smtp_url: str | None = setting(url("smtp", "smtps", query="tls=optional|"), None)
    mail_from: str | None = setting(mail_from, None)

    log_level: str = setting(one_of("debug", "info", "warning", "error"), "info")
    log_style: str | None = setting(one_of("pretty", "json"), None)
    loki_url: str | None = setting(url("http", "https"), None)

    @property
    def max_attempts(self) -> int:
        """The attempts of a row that does not say how many: the first, and MAX_RETRIES more."""
        return self.max_retries + 1

    @property
    def retry_schedules(self) -> dict[str, tuple[float, ...]]:
        """Per channel, the seconds before the second, third … attempt; the last wait repeats."""
        own = {channel: getattr(self, f"retry_schedule_{channel}") for channel in Channel}
        return {channel: waits or self.retry_schedule for channel, waits in own.items()}

    @property
    def guard(self) -> Guard:
        """Where webhooks may go."""
        return guard(
            self.webhook_private, self.webhook_allow, self.webhook_deny, self.webhook_ports
        )

    @property
    def direct_url(self) -> str | None:
        """Where LISTEN and session locks go: past a transaction pooler, if there is one."""
        return self.database_direct_url or self.database_url


NAMES = frozenset(spec.name.upper() for spec in fields(Settings))
RETIRED = {"BACKOFF_BASE_S": "RETRY_SCHEDULE", "BACKOFF_CAP_S": "RETRY_SCHEDULE"}


def retired_settings(
    environ: Mapping[str, str] | None = None, env_file: Path | None = None
) -> list[str]:
    """Give a line for each setting that is set and no longer read."""
    values = all_values(environ, env_file)
    return [f"{name} is no longer read: use {new}" for name, new in RETIRED.items()
            if values.get(name, "").strip()]  # fmt: skip


def all_values(environ: Mapping[str, str] | None, env_file: Path | None) -> dict[str, str]:
    """Read `environ` (None: the process's) over `env_file` (None: ./.env). Raises ConfigError."""
    environ = os.environ if environ is None else environ
    values = read_env_file(env_file or Path(".env"), environ, NAMES)
    given = {k: v for k, v in environ.items() if v.strip()}
    if is_direct_astray(values, given):
        del values["DATABASE_DIRECT_URL"]
    return values | given


def is_direct_astray(written: Mapping[str, str], given: Mapping[str, str]) -> bool:
    """Return whether the DATABASE_DIRECT_URL of a file leads to another database than is used.

    It is the way to the file's own DATABASE_URL, and the environment may give another one.
    """
    own, used = (values.get("DATABASE_URL", "").strip() for values in (written, given))
    is_written = bool(written.get("DATABASE_DIRECT_URL", "").strip())
    return is_written and bool(own and used) and not is_same_database(own, used)


def read_settings(
    environ: Mapping[str, str] | None = None, env_file: Path | None = None
) -> Settings:
    """Read the settings from `environ` (None: the process's) over `env_file` (None: ./.env).

    An empty value counts as not set. Raises ConfigError with one line on the first wrong value.
    """
    return settings_of(all_values(environ, env_file))


def settings_of(texts: Mapping[str, str]) -> Settings:
    """Read the settings from these texts alone, by their names. Raises ConfigError as above."""
    values = {spec.name: parsed(spec, texts) for spec in fields(Settings)}
    settings = Settings(**{name: value for name, value in values.items() if value is not None})
    check_relations(settings)
    return settings


def read_setting(name: str) -> Any:
    """Read one setting alone, whatever is wrong with others; None: it is not set."""
    [spec] = [spec for spec in fields(Settings) if spec.name == name]
    return parsed(spec, all_values(None, None))


def parsed(spec: Field[Any], texts: Mapping[str, str]) -> Any:
    """Parse one setting; None: it is not set. Raises ConfigError."""
    name = spec.name.upper()
    raw = texts.get(name, "").strip()
    if not raw:
        return None
    if len(raw) > 1 and raw[0] == raw[-1] and raw[0] in "\"'":
        raise ConfigError(
            f"{name}: stands in quotes, which belong to its value here: leave them out"
        )
    try:
        return spec.metadata["parse"](raw)
    except ValueError as error:
        raise ConfigError(f"{name}={shown(name, raw)}: must be {error}") from None


def shown(name: str, value: str) -> str:
    """Show a wrong value, unless it may hold a password, or be a password in the wrong place."""
    private = name.endswith(("_URL", "_KEY")) or "SECRET" in name or re.search(PRIVATE, value)
    return "(hidden)" if private else value


def check_relations(settings: Settings) -> None:
    """Refuse settings that are each allowed and together wrong. Raises ConfigError."""
    if settings.lease_s < settings.send_deadline_s + LEASE_SPARE_S:
        raise ConfigError(
            f"LEASE_S={settings.lease_s:g}: must be more than SEND_DEADLINE_S"
            f"={settings.send_deadline_s:g}, by {LEASE_SPARE_S:g} s or more: what a slow claim "
            "leaves of it has to do for a slow send"
        )
    if settings.retention_days < settings.send_at_max_days:
        raise ConfigError(
            f"RETENTION_DAYS={settings.retention_days}: must be at least SEND_AT_MAX_DAYS"
            f"={settings.send_at_max_days}, or a day would be kept for one late notification"
        )
    if settings.smtp_url and not settings.mail_from:
        raise ConfigError("MAIL_FROM is missing: SMTP_URL needs the address that mail comes from")
