"""A browser without a window: it keeps cookies, and sends the session's token if it is told to."""

from http.cookies import SimpleCookie
from types import SimpleNamespace
from urllib.parse import urlencode

from service.access.session import COOKIE, TOKEN_COOKIE, TOKEN_HEADER, named
from tests.integration.api.serving import Api


class Browser:
    """Asks one edge, as one viewer."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.cookies: dict[str, str] = {}
        host = f"127.0.0.1:{api.port}"
        self.session_name, self.token_name = named(COOKIE, host), named(TOKEN_COOKIE, host)

    def get(self, path: str, **headers: str) -> SimpleNamespace:
        """GET a page; `text` is its HTML."""
        return self._ask("GET", path, None, **headers)

    def submit(self, path: str, **fields: str) -> SimpleNamespace:
        """Send a form."""
        return self._send(path, fields)

    def verb(
        self, path: str, body: bytes = b"{}", *, has_token: bool = True, **headers: str
    ) -> SimpleNamespace:
        """Ask the API as the page's script does."""
        headers |= {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}
        if has_token:
            headers[TOKEN_HEADER] = self.cookies.get(self.token_name, "")
        return self._ask("POST", path, body, **headers)

    def log_in(self, key: object, **headers: str) -> SimpleNamespace:
        """Log in with a key."""
        return self._send("/console/login", {"key": str(key)}, **headers)

    def _send(self, path: str, fields: dict[str, str], **headers: str) -> SimpleNamespace:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self._ask("POST", path, urlencode(fields).encode(), **headers)

    def _ask(self, method: str, path: str, body: bytes | None = None, **headers: str):
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = self._api.ask(method, path, body, **headers)
        for line in answer.headers.get_all("Set-Cookie", ()):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        answer.text = answer.body.decode()
        return answer
