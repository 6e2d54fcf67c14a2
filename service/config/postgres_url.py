"""What a DATABASE_URL says, as libpq reads it; nothing here connects."""

import os
import re
from ipaddress import ip_address

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo, PGconn

NOWHERE = "/nonexistent"
COUNTS = (
    "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout", "port",
)  # fmt: skip


def is_readable(url: str) -> bool:
    """Return whether libpq can read a URL and each parameter. Its own errors would quote the URL.

    libpq checks most parameters only when it connects: here to a socket that does not exist.
    """
    try:
        parameters = {key: str(value) for key, value in conninfo_to_dict(url).items()}
        counts = ",".join(parameters.get(key, "") for key in COUNTS)
        addresses = parameters.get("hostaddr", "")
        if not re.fullmatch(r"[-0-9,]*", counts) or not are_addresses(addresses):
            return False
        for place in ("host", "hostaddr", "port"):
            parameters.pop(place, None)
        # An address of the environment would lead elsewhere than the URL says.
        if not addresses and os.environ.get("PGHOSTADDR"):
            return False
        nowhere = make_conninfo(**parameters, host=NOWHERE, hostaddr="")
        attempt = PGconn.connect_start(nowhere.encode())
    except (psycopg.Error, UnicodeError):  # %ff in a password is no UTF-8
        return False
    try:
        return NOWHERE in attempt.get_error_message()
    finally:
        attempt.finish()


def spoilers(url: str) -> list[str]:
    """Name libpq's variables of the environment that keep it from reading a URL. At a start only.

    Empty: it is the URL.
    """
    known = {each.envvar.decode() for each in Conninfo.get_defaults() if each.envvar}
    found = {name: os.environ.pop(name) for name in sorted(known & os.environ.keys())}
    try:
        if not is_readable(url):
            return []
        return [name for name, value in found.items() if not is_readable_beside(url, name, value)]
    finally:
        os.environ.update(found)


def is_readable_beside(url: str, name: str, value: str) -> bool:
    """Return whether libpq can read a URL with this variable in the environment."""
    os.environ[name] = value
    try:
        return is_readable(url)
    finally:
        del os.environ[name]


def forget_libpq_variables() -> None:
    """Take libpq's variables out of the environment: a URL of ours then says all there is to it.

    libpq completes any URL from them, and PGHOSTADDR would send our password to another machine.
    """
    for default in Conninfo.get_defaults():
        if default.envvar:
            os.environ.pop(default.envvar.decode(), None)


def are_addresses(text: str) -> bool:
    """Return whether all that stands between the commas is an address, or nothing."""
    try:
        return all(ip_address(part) for part in text.split(",") if part)
    except ValueError:
        return False


def libpq_environment(url: str) -> dict[str, str]:
    """Write a URL as libpq's environment variables (PGHOST and so on)."""
    names = {
        default.keyword.decode(): default.envvar.decode()
        for default in Conninfo.get_defaults()
        if default.envvar
    }
    return {names[key]: str(value) for key, value in conninfo_to_dict(url).items() if key in names}


def is_same_database(one: str, other: str) -> bool:
    """Return whether two URLs lead to one database, as whoever and however; False: one is none."""
    try:
        return database_of(one) == database_of(other)
    except (psycopg.Error, UnicodeError):
        return False


def database_of(url: str) -> tuple[str | None, ...]:
    """Give the host, address, port and name of a database, completed as libpq completes them."""
    defaults = {each.keyword.decode(): each.val for each in Conninfo.get_defaults()}
    said = {name: value.decode() for name, value in defaults.items() if value}
    said |= {name: str(value) for name, value in conninfo_to_dict(url).items() if value}
    name = said.get("dbname") or said.get("user")
    return said.get("host"), said.get("hostaddr"), said.get("port"), name


def place(url: str) -> str:
    """Say in words which database a URL means, and as whom; without the password."""
    parameters = conninfo_to_dict(url)
    where = parameters.get("host") or parameters.get("hostaddr") or "this machine"
    port = f":{parameters['port']}" if "port" in parameters else ""
    user = parameters.get("user") or "the user's own role"
    return f"database {parameters.get('dbname') or user} on {where}{port} as {user}"
