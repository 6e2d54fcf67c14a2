"""Why a DATABASE_URL gives no connection, in words that say what to do.

libpq and the server give the reason only as text: a connection that fails has no SQLSTATE. Quoted
names are removed before the text is matched, as a user may be called "timeout". If the server
speaks another language, the names that it quotes show what it speaks of.
"""

import os
import re
from typing import NamedTuple

from service.config.postgres_url import libpq_environment
from service.doctor.finding import Finding

MARKS = "\"'«»„“”「」"
QUOTED = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'')


class Place(NamedTuple):
    """Where a URL leads, together with libpq's environment variables."""

    setting: str
    host: str
    port: str
    user: str
    database: str

    @property
    def where(self) -> str:
        """The servers as `host:port`; the directory of a socket as it is."""
        hosts, ports = self.host.split(","), self.port.split(",")
        pairs = zip(hosts, ports * (len(hosts) if len(ports) == 1 else 1), strict=False)
        return ", ".join(host if "/" in host else f"{host}:{port}" for host, port in pairs)


# A pattern of the error's text, what is wrong, and what to do. The first rule that matches counts.
# If several hosts failed, the text holds all of them: the rules begin with what comes last in a
# login, so that the host whose login went furthest is named.
RULES = (
    ("no password supplied",
     "{where} asks for a password of {user}", "write one into {setting}"),
    ("(peer|ident) authentication failed",
     "{where} knows {user} by the account that asks, not by a password",
     "run this as the account {user}, or name a host and a password in {setting}"),
    ("password authentication failed|(sasl|scram|auth)\\w* (authentication )?failed",
     "{where} refuses the password of {user}",
     "correct user or password in {setting}; / ? # @ and % in it are written %2F %3F %23 %40 %25"),
    ("role .* does not exist|no such user",
     "{where} has no user {user}", "correct the user in {setting}, or create it"),
    ("role .* is not permitted to log in",
     "{user} may not log in at {where}", "alter role … login, or name another in {setting}"),
    ("database .* does not exist|no such database",
     "{where} has no database {database}",
     "correct the name in {setting}, or create it, owned by {user}"),
    ("permission denied for database|not currently accepting connections",
     "{where} lets {user} not into the database {database}",
     "grant connect on that database, or allow connections to it"),
    ("does not support ssl",
     "{where} offers no TLS, and sslmode demands it",
     "switch TLS on there, or leave sslmode out of {setting}"),
    ("root certificate file",
     "the file of trusted certificates is missing or not readable",
     "name one by sslrootcert=… in {setting}; sslrootcert=system is this machine's own"),
    ("certificate for .* does not match host name|hostname mismatch",
     "the certificate of {where} is for another name",
     "write the name that it is for into {setting}, or sslmode=verify-ca"),
    ("certificate has expired|not yet valid",
     "the certificate of {where} is not valid today", "renew it there"),
    ("certificate verify failed|self.signed certificate",
     "the certificate of {where} is from nobody we trust",
     "name its authority's certificate by sslrootcert=… in {setting}"),
    ("client certificate|certificate required|alert (bad|unknown|no) (certificate|ca)",
     "{where} asks for a certificate of ours", "name it by sslcert=… and sslkey=… in {setting}"),
    ("private key file|certificate file",
     "our certificate or its key cannot be read",
     "see sslcert and sslkey in {setting}; the key must be its owner's alone (chmod 600)"),
    ("(no pg_hba.conf entry|pg_hba.conf rejects) .*(no encryption|ssl off)",
     "{where} does not take {user} from here without TLS",
     "write sslmode=require into {setting}; if that fails too, pg_hba.conf there lacks a line"),
    ("pg_hba.conf",
     "{where} does not let {user} from this machine into {database}",
     "add a line to pg_hba.conf there, and reload it"),
    ("ssl error|tls|ssl connection",
     "TLS with {where} fails", "see sslmode and sslrootcert in {setting}"),
    ("invalid response to|expected authentication request|unsupported protocol|protocol error",
     "what answers at {where} is no PostgreSQL", "correct the port in {setting}: mostly 5432"),
    ("unsupported startup parameter",
     "the pooler at {where} refuses a startup parameter", "set DATABASE_DIRECT_URL past it"),
    ("starting up|shutting down|recovery mode|not yet accepting",
     "{where} starts or stops", "wait until it is ready"),
    ("too many (clients|connections)|slots are reserved|no more connections",
     "{where} has no connection left",
     "raise max_connections there, or the limit of role or database; or end idle sessions"),
    ("read.only|hot standby|target_session_attrs|session is not",
     "{where} is not the kind of server that target_session_attrs demands",
     "name the primary in {setting}"),
    ("failed to resolve|could not translate|name or service not known|name resolution|"
     "no address associated|nodename",
     "the name {host} does not resolve", "correct the host in {setting}, or its DNS"),
    ("connection refused",
     "nobody listens at {where}",
     "is PostgreSQL running there, and is the port in {setting} right? Mostly it is 5432"),
    ("no such file or directory|file not found",
     "there is no socket in {where}", "is PostgreSQL running, and is the directory right?"),
    ("time.?out|timed out",
     "{where} does not answer", "correct the host in {setting}, or let a firewall pass it"),
    ("no route|unreachable|host is down",
     "there is no way to {where}", "correct the host in {setting}, or the network"),
    ("closed the connection|connection reset|broken pipe|eof detected",
     "{where} hangs up", "is it PostgreSQL, and what does its log say?"),
)  # fmt: skip


def connection_fault(setting: str, url: str, error: BaseException) -> Finding:
    """Name what keeps `url`, the value of `setting`, from giving a connection."""
    place = place_of(setting, url)
    text = str(error.__cause__ or error).strip()
    nameless = QUOTED.sub('""', text)
    for pattern, found, advice in RULES:
        if re.search(pattern, nameless, re.IGNORECASE):
            facts = place._asdict() | {"where": place.where}
            return Finding("database", found.format_map(facts), advice.format_map(facts))
    return Finding("database", last_line(text) or type(error).__name__, advice_by_name(place, text))


def advice_by_name(place: Place, text: str) -> str:
    """Advise by the names that a text quotes, whatever its language."""
    names = quoted_names(text) if place.user != place.database else []
    if place.database in names:
        return f"correct the database's name in {place.setting}"
    if place.user in names:
        return f"correct user or password in {place.setting}"
    return f"see {place.setting}: host, port, user, password and database"


def quoted_names(text: str) -> list[str]:
    """Return what stands in quotation marks of any kind."""
    return [match[1] for match in re.finditer(f"[{MARKS}]\\s?([^{MARKS}\n]+?)\\s?[{MARKS}]", text)]


def last_line(text: str) -> str:
    """Return the last line of an error: the lines before it only lead up to it."""
    return text.splitlines()[-1].strip() if text else ""


def place_of(setting: str, url: str) -> Place:
    """Read where a URL leads, as libpq does: by its environment where the URL says nothing."""
    environ = os.environ | libpq_environment(url)
    user = environ.get("PGUSER") or environ.get("USER") or "this account's user"
    return Place(
        setting=setting,
        host=environ.get("PGHOST") or environ.get("PGHOSTADDR") or "this machine",
        port=environ.get("PGPORT") or "5432",
        user=user,
        database=environ.get("PGDATABASE") or user,
    )
