"""A browser's session: a cookie that holds its key, and a token that every verb has to repeat.

The cookie is an API key, or where anybody may call a random text. So there is nothing to store, and
a key that is revoked ends its sessions. A page of another origin can make a browser send the
cookie, but cannot read the token, which is made from the cookie (double submit, OWASP).

A browser sends a cookie to every port of a host: both have the port in their names, so that two
consoles on one host, a tunnel and a local one, have a session each.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

from service.access.key import KEY, Secret

COOKIE = "notify_session"
TOKEN_COOKIE = "notify_csrf"  # the token, where our own pages' scripts can read it
TOKEN_HEADER = "X-CSRF-Token"
ANYBODYS = "open_"  # begins the cookie where anybody may call
COOKIE_MAX_CHARS = 200
PORT = re.compile(r":([0-9]{1,5})\Z", re.ASCII)


def opened() -> str:
    """Make the cookie of a browser that needs no key."""
    return ANYBODYS + secrets.token_urlsafe(24)


def named(cookie: str, host: str) -> str:
    """Return the name of a cookie of ours where a Host header names a port, or none."""
    port = PORT.search(host)
    return cookie if port is None else f"{cookie}_{port[1]}"


def cookie_of(cookies: Mapping[str, str], host: str) -> str | None:
    """Return the session's cookie; None: there is none, or it is none of ours."""
    cookie = cookies.get(named(COOKIE, host))
    return cookie if cookie and len(cookie) <= COOKIE_MAX_CHARS and cookie.isascii() else None


def key_in(cookie: str) -> Secret | None:
    """Return the key that a session's cookie holds; None: it holds none."""
    match = KEY.fullmatch(cookie)
    return None if match is None else Secret(match[1], match[2])


def token_for(cookie: str) -> str:
    """Return what each verb of a session has to bring in X-CSRF-Token."""
    return hmac.new(cookie.encode(), b"notify csrf", hashlib.sha256).hexdigest()


def is_token_of(cookie: str, token: str) -> bool:
    """Return whether a token belongs to a session."""
    return token.isascii() and hmac.compare_digest(token_for(cookie), token)
