"""What a setting may be. A parser raises ValueError, which says that and never the value."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from service.config.postgres_url import is_readable, spoilers
from service.config.redis_url import is_redis_url
from service.signature import key
from service.text.addresses import sender
from service.text.checks import is_ipv6

# Not urlsplit(): Python's patch releases disagree about brackets and about several hosts. This
# pattern gives one answer on all of them; only libpq reads a URL with several hosts.
URL = re.compile(
    r"[^:/?#]+://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?"
)
HOST = re.compile(r"(?:\[([^\[\]]*)\]|[^\[\]:]*)(?::([0-9]{0,5}))?")
DECIMAL = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"  # not 1e3, 1_000, nan or digits of another script
Parser = Callable[[str], Any]
REDIS = ("redis", "rediss", "redis+sentinel", "rediss+sentinel")
CURL = ("smtp", "smtps", "http", "https")
NEED_HOST = (*CURL, *REDIS)  # libpq may use a local socket
WAITS_MAX = 100
NAME_MAX_CHARS = 64
WAIT_MAX_S = 30 * 86400
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smhd])")


def whole(low: int, high: int) -> Parser:
    """Parse an integer within [low, high]."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= (value := int(text)) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return value

    return parse


def auto_or(parser: Parser) -> Parser:
    """Parse `auto` as None, which leaves it to us, or else as the parser does."""

    def parse(text: str) -> Any:
        try:
            return None if text.lower() == "auto" else parser(text)
        except ValueError as error:
            raise ValueError(f"auto or {error}") from None

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


def switch(value: str) -> bool:
    """Parse true or false."""
    if value.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return value.lower() == "true"


def api_key(value: str) -> str:
    """Parse a key of the API."""
    if not re.fullmatch(r"nk_[0-9a-z]{1,99}_[0-9a-z]{1,99}", value):
        raise ValueError("a key, nk_…, as `notify keys create` prints it")
    return value


def ports(value: str) -> tuple[int, ...]:
    """Parse ports, separated by spaces or commas."""
    words = value.replace(",", " ").split()
    if not all(re.fullmatch(r"[0-9]{1,5}", word) and 1 <= int(word) <= 65535 for word in words):
        raise ValueError("ports from 1 to 65535, separated by spaces")
    return tuple(map(int, words))


def text(value: str) -> str:
    """Take any text."""
    return value


def name(value: str) -> str:
    """Take a short name as it is: capitals count."""
    if not value.isprintable() or len(value) > NAME_MAX_CHARS:
        raise ValueError(f"a name of at most {NAME_MAX_CHARS} printable characters")
    return value


def url(*schemes: str, default_scheme: str = "", query: str = "") -> Parser:
    """Parse a URL of one of these schemes; with a default, `host:port` will do.

    It may name several hosts, as libpq allows for failover: `postgresql://a:5432,b:5432/db`.
    `query` is a pattern of what may stand behind `?`. No error quotes the value, and no error
    of a library is passed on: a password may be anywhere in it.
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
    """Say what is wrong with a URL, without quoting any part of it; None: nothing."""
    if not text.isprintable() or " " in text:
        return "without blanks and control characters"
    if re.search("%(?![0-9A-Fa-f]{2})", text):
        return "in which a % is written as %25"
    parts = URL.fullmatch(text)
    scheme = text.partition("://")[0].lower()
    is_for_libpq = scheme.startswith("postgres")
    if (
        parts is None
        or not is_authority(parts["authority"], many=is_for_libpq or "+sentinel" in scheme)
        or (scheme in NEED_HOST and not parts["authority"].rpartition("@")[2].partition(":")[0])
    ):
        return "with a host and a port"
    user = parts["authority"].rpartition("@")[0]
    query_text = parts["query"] or ""
    # libpq ends the password at the first @, other libraries at the last; libpq's query may have @.
    if "@" in parts["path"] + (parts["fragment"] or "") + (user if is_for_libpq else query_text):
        return "in which / ? # and @ of a password are written as %2F %3F %23 and %40"
    if query and not re.fullmatch(query, query_text):
        return f"with nothing behind ? but {query.removesuffix('|')}"
    return curl_fault(text) if scheme in CURL else None


def curl_fault(text: str) -> str | None:
    """Say what pycurl and libcurl do not take of a URL that url_fault() takes; None: nothing."""
    if not text.partition("://")[2].rpartition("@")[2].isascii():  # a password is sent as UTF-8
        return "in ASCII: a host's name as xn--…, other letters as %C3%A9 stands for é"
    if "%00" in text:
        return "without %00"
    return None


def is_authority(text: str, *, many: bool) -> bool:
    """Return whether this is a host, with or without a user before it; `many`: hosts and commas."""
    user, _, host = text.rpartition("@")
    # NFKC turns U+2100 into a/c: a parser that normalizes would see the host end there.
    plain = unicodedata.normalize("NFKC", re.sub("[@:]", "", text))
    hosts = host.split(",") if many else [host]
    return (
        all(map(is_host, hosts))
        and not re.search(r"[][]", user)
        and not re.search("[/?#@:]", plain)
    )


def is_host(text: str) -> bool:
    """Return whether this is a host, or an address in brackets, with a port or without."""
    match = HOST.fullmatch(text)
    if match is None or not 1 <= int(match[2] or 1) <= 65535:
        return False
    return match[1] is None or is_ipv6(match[1])


def postgres_url(value: str) -> str:
    """Parse a URL as libpq does."""
    parsed: str = url("postgresql", "postgres")(value)
    if not is_readable(parsed):
        beside = ", ".join(spoilers(parsed))
        raise ValueError(
            f"a URL that libpq can read: beside {beside} of the environment it can not"
            if beside
            else "a URL, postgresql://…, that libpq can read"
        )
    return parsed


def redis_url(value: str) -> str:
    """Parse a URL as redis-py does."""
    parsed: str = url(*REDIS, "unix", default_scheme="redis")(value)
    if not is_redis_url(parsed):
        raise ValueError(
            "a URL, redis://host:6379/0, with the database's number or nothing behind the host, or"
            " redis+sentinel://a,b/name, whose parameters redis-py can read"
        )
    return parsed


def durations(value: str) -> tuple[float, ...]:
    """Parse waits, separated by commas, into seconds: `5s,1m,10m`."""
    matches = [DURATION.fullmatch(word.strip().lower()) for word in value.split(",")]
    waits = tuple(float(match[1]) * UNITS_S[match[2]] for match in matches if match)
    if len(waits) < len(matches) or len(waits) > WAITS_MAX or max(waits) > WAIT_MAX_S:
        raise ValueError("1 to 100 waits of at most 30d, with their units: 5s,1m,10m")
    return waits


def secrets(value: str) -> tuple[str, ...]:
    """Parse secrets, separated by spaces or commas; the first signs first."""
    words = tuple(value.replace(",", " ").split())
    for word in words:
        key(word)
    return words


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
