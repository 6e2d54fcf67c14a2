"""Settings: read once from the environment and `.env`, checked, frozen, and passed down.

The names, units, defaults and reasons are in `.env.example`; a test keeps the two alike.
"""

import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service.addresses import sender
from service.checks import is_ipv6
from service.db import is_readable
from service.env_file import read_env_file
from service.errors import ConfigError
from service.model import Channel
from service.signature import key

PRIVATE = r"[@=]|://|whsec_|.{41}"  # a URL, libpq's words, a secret, or what is too long for ours

REDIS_PARAMETER = (  # what redis-py reads only when it connects, and quotes then, is not among them
    r"(?:db|protocol|socket_timeout|socket_connect_timeout|health_check_interval)=[0-9.]+"
    r"|(?:username|password|ssl_ca_certs|ssl_ca_path|ssl_certfile|ssl_keyfile|ssl_password)=.*"
    r"|ssl_cert_reqs=(?:none|optional|required)|ssl_check_hostname=(?:[Tt]rue|[Ff]alse)"
)

# Not urlsplit(): of what stands in brackets, and of several hosts, each patch of Python thinks
# otherwise. What is refused here is refused by all of them, or is libpq's alone to read.
URL = re.compile(
    r"[^:/?#]+://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)
HOST = re.compile(r"(?:\[([^\[\]]*)\]|[^\[\]:]*)(?::([0-9]{0,5}))?")
DECIMAL = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"  # not 1e3, 1_000, nan or digits of another script
LEASE_SPARE_S = 4.0  # a claim may take so long (workers/session.py); its lease begins before it

Parser = Callable[[str], Any]

NEED_HOST = ("smtp", "smtps", "http", "https", "redis", "rediss")  # libpq knows a local socket
WAITS_MAX = 100
WAIT_MAX_S = 30 * 86400


def whole(low: int, high: int) -> Parser:
    """Parse an integer within [low, high]."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= (value := int(text)) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return value

    return parse


def number(low: float, high: float) -> Parser:
    """Parse a decimal number within [low, high]."""

    def parse(text: str) -> float:
        if not re.fullmatch(DECIMAL, text) or not low <= (value := float(text)) <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return value

    return parse


def one_of(*words: str) -> Parser:
    """Parse one of a few words, in any case."""

    def parse(text: str) -> str:
        value = text.lower()
        if value not in words:
            raise ValueError(" or ".join(words))
        return value

    return parse


def text(value: str) -> str:
    """Take any text."""
    return value


def url(*schemes: str, default_scheme: str = "", query: str = "") -> Parser:
    """Parse a URL of one of these schemes; with a default, `host:port` will do.

    It may name several hosts, as libpq allows for failover: `postgresql://a:5432,b:5432/db`.
    `query` is a pattern of what may stand behind `?`. No refusal quotes the value, nor does a
    library's: a password may be anywhere in it.
    """

    def parse(value: str) -> str:
        full = value if "://" in value or not default_scheme else f"{default_scheme}://{value}"
        if full.partition("://")[0].lower() not in schemes:
            raise ValueError(f"a URL that starts with {' or '.join(s + '://' for s in schemes)}")
        if fault := url_fault(full, query):
            raise ValueError(f"a URL, {schemes[0]}://…, {fault}")
        return full

    return parse


def url_fault(text: str, query: str) -> str | None:
    """Say what is wrong with a URL, without any part of it; or None."""
    if not text.isprintable() or " " in text:
        return "without blanks and control characters"
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        return "in which a % is written as %25"
    parts = URL.fullmatch(text)
    scheme = text.partition("://")[0].lower()
    is_libpqs = scheme.startswith("postgres")
    if (
        parts is None
        or not is_authority(parts["authority"], many=is_libpqs)
        or (scheme in NEED_HOST and not parts["authority"].rpartition("@")[2].partition(":")[0])
    ):
        return "with a host and a port"
    user = parts["authority"].rpartition("@")[0]
    found = parts["query"] or ""
    # libpq ends the password at the first @, others at the last; its query may hold some.
    if "@" in parts["path"] + (parts["fragment"] or "") + (user if is_libpqs else found):
        return "in which / ? # and @ of a password are written as %2F %3F %23 and %40"
    if query and not re.fullmatch(query, found):
        return f"with nothing behind ? but {query.removesuffix('|')}"
    return None


def is_authority(text: str, *, many: bool) -> bool:
    """Say whether this is a host, or `many` between commas, behind a user or none."""
    user, _, host = text.rpartition("@")
    # Somebody's parser may find an end in the letters that U+2100 stands for: a/c.
    plain = unicodedata.normalize("NFKC", re.sub("[@:]", "", text))
    hosts = host.split(",") if many else [host]
    return (
        all(map(is_host, hosts))
        and not re.search(r"[][]", user)
        and not re.search("[/?#@:]", plain)
    )


def is_host(text: str) -> bool:
    """Say whether this is a host, or an address in brackets, with a port or without."""
    found = HOST.fullmatch(text)
    if found is None or not 1 <= int(found[2] or 1) <= 65535:
        return False
    return found[1] is None or is_ipv6(found[1])


def postgres_url(value: str) -> str:
    """Parse a URL as libpq does."""
    parsed: str = url("postgresql", "postgres")(value)
    if not is_readable(parsed):
        raise ValueError("a URL, postgresql://…, that libpq can read")
    return parsed


def redis_url(value: str) -> str:
    """Parse a URL as redis-py does."""
    from service import ready_set  # noqa: PLC0415 - 100 ms, which most commands can do without

    parsed: str = url("redis", "rediss", "unix", default_scheme="redis")(value)
    query = urlsplit(parsed).query
    known = all(re.fullmatch(REDIS_PARAMETER, part) for part in query.split("&") if part)
    if not known or not ready_set.is_readable(parsed):
        raise ValueError("a URL, redis://…, whose parameters redis-py can read")
    return parsed


UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd])")


def durations(value: str) -> tuple[float, ...]:
    """Parse waits, separated by commas, into seconds: `5s,1m,10m`."""
    found = [DURATION.fullmatch(word.strip().lower()) for word in value.split(",")]
    waits = tuple(float(match[1]) * UNITS_S[match[2]] for match in found if match)
    if len(waits) < len(found) or len(waits) > WAITS_MAX or max(waits) > WAIT_MAX_S:
        raise ValueError("1 to 100 waits of at most 30d, with their units: 5s,1m,10m")
    return waits


def secrets(value: str) -> tuple[str, ...]:
    """Parse secrets, separated by spaces or commas; the first signs first."""
    found = tuple(value.replace(",", " ").split())
    for secret in found:
        key(secret)
    return found


def mail_from(value: str) -> str:
    """Parse the address that mail comes from, with a display name or without."""
    try:
        sender(value)
    except ValueError as error:
        reason = str(error).removeprefix("Give one address as name@domain. ")
        raise ValueError(f"an address such as Notify <notify@example.org>. {reason}") from None
    return value


def host_names(value: str) -> tuple[str, ...]:
    """Parse names as a Host header has them, without a port."""
    names = tuple(value.lower().replace(",", " ").split())
    if not all(re.fullmatch(r"[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\]", name) for name in names):
        raise ValueError("names or addresses without a port, separated by spaces")
    return names


def setting(parse: Parser, default: Any) -> Any:
    """Declare a field: its environment variable is the field's name in capitals."""
    return field(default=default, metadata={"parse": parse})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. None means: not given."""

    database_url: str | None = setting(postgres_url, None)
    database_direct_url: str | None = setting(postgres_url, None)
    redis_url: str | None = setting(redis_url, None)
    notify_state: str | None = setting(text, None)

    host: str = setting(text, "127.0.0.1")
    port: int = setting(whole(1, 65535), 3000)
    allowed_hosts: tuple[str, ...] = setting(host_names, ())
    connections_max: int | None = setting(whole(1, 65536), None)
    metrics_port: int = setting(whole(1, 65535), 9100)

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
    retention_days: int = setting(whole(1, 3650), 30)
    send_at_max_days: int = setting(whole(0, 365), 30)

    webhook_secret: tuple[str, ...] = setting(secrets, ())
    smtp_url: str | None = setting(url("smtp", "smtps", query="tls=optional|"), None)
    mail_from: str | None = setting(mail_from, None)

    log_level: str = setting(one_of("debug", "info", "warning", "error"), "info")
    log_style: str | None = setting(one_of("pretty", "json"), None)
    loki_url: str | None = setting(url("http", "https"), None)

    @property
    def max_attempts(self) -> int:
        """The attempts of a row that brings no number: the first, and MAX_RETRIES more."""
        return self.max_retries + 1

    @property
    def retry_schedules(self) -> dict[str, tuple[float, ...]]:
        """Per channel, the seconds before the second, third … attempt; the last wait repeats."""
        own = {
            Channel.WEBHOOK: self.retry_schedule_webhook,
            Channel.EMAIL: self.retry_schedule_email,
            Channel.LOG: self.retry_schedule_log,
        }
        return {channel: waits or self.retry_schedule for channel, waits in own.items()}

    @property
    def direct_url(self) -> str | None:
        """Where LISTEN and session locks go: past a transaction pooler, if there is one."""
        return self.database_direct_url or self.database_url


NAMES = frozenset(spec.name.upper() for spec in fields(Settings))
RETIRED = {"BACKOFF_BASE_S": "RETRY_SCHEDULE", "BACKOFF_CAP_S": "RETRY_SCHEDULE"}


def retired_settings(
    environ: Mapping[str, str] | None = None, env_file: Path | None = None
) -> list[str]:
    """Say which settings are given that are no longer read, a line for each."""
    given = all_given(environ, env_file)
    return [f"{name} is no longer read: use {new}" for name, new in RETIRED.items()
            if given.get(name, "").strip()]  # fmt: skip


def all_given(environ: Mapping[str, str] | None, env_file: Path | None) -> dict[str, str]:
    """Read `environ` (None: the process's) over `env_file` (None: ./.env). Raises ConfigError."""
    environ = os.environ if environ is None else environ
    given = read_env_file(env_file or Path(".env"), environ, NAMES)
    return given | {k: v for k, v in environ.items() if v.strip()}


def read_settings(
    environ: Mapping[str, str] | None = None, env_file: Path | None = None
) -> Settings:
    """Read the settings from `environ` (None: the process's) over `env_file` (None: ./.env).

    An empty value counts as not given. Raises ConfigError with one line on the first wrong value.
    """
    given = all_given(environ, env_file)
    values = {}
    for spec in fields(Settings):
        name = spec.name.upper()
        raw = given.get(name, "").strip()
        if not raw:
            continue
        if len(raw) > 1 and raw[0] == raw[-1] and raw[0] in "\"'":
            raise ConfigError(
                f"{name}: stands in quotes, which belong to its value here: leave them out"
            )
        try:
            values[spec.name] = spec.metadata["parse"](raw)
        except ValueError as error:
            raise ConfigError(f"{name}={shown(name, raw)}: must be {error}") from None
    settings = Settings(**values)
    check_relations(settings)
    return settings


def shown(name: str, value: str) -> str:
    """Show a wrong value, unless it may hold a password, or be one in the wrong place."""
    private = name.endswith("_URL") or "SECRET" in name or re.search(PRIVATE, value)
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
