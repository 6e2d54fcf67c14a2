"""What `notify up` prints when it is up: where everything is, and a first command to try."""

from service.inbox.inbox import Inbox
from service.names.guard import Guard

BANNER = """
notify is up.  Ctrl-C stops it.

  API     {api}
  Console {api}/console
  Docs    {api}/docs"""
OWN_DATABASE = """
  SQL     psql '{database_url}'"""
OWN_GUARD = """
  Guard   webhooks may go to this machine (127.0.0.0/8 and ::1), as its database is our own"""
SANDBOX = """

  SANDBOX: nothing leaves this machine. Everything goes to the inbox, whatever its recipient.
  Arrived http://127.0.0.1:{http}/arrivals?reference=&recipient=&since=&wait="""
OWN_INBOX = """
  Inbox   http://127.0.0.1:{http}/ and smtp://127.0.0.1:{smtp}: what arrives is printed here"""
TRY_IT = """

Try it, in another terminal:

  curl -s {api}/notify -H 'content-type: application/json' -d '{body}'
"""
BODY = '{{"channel": "{}", "recipient": "{}", "payload": {{"n": 1}}}}'


def banner(
    api: str,
    database_url: str | None,
    inbox: Inbox | None,
    guard: Guard,
    *,
    is_sandbox: bool = False,
) -> str:
    """Say where everything is. `database_url` None: it is the user's own, and holds a password."""
    lines = BANNER.format(api=api)
    body = BODY.format("log", "hello")
    if database_url:
        lines += OWN_DATABASE.format(database_url=database_url)
        lines += "" if is_sandbox else OWN_GUARD
    if inbox:
        lines += OWN_INBOX.format(http=inbox.http_port, smtp=inbox.smtp_port)
        hook = f"http://127.0.0.1:{inbox.http_port}/hello"
        if not guard.refuses(hook):
            body = BODY.format("webhook", hook)
        if is_sandbox:
            body = BODY.format("webhook", "https://example.org/hello")
            lines += SANDBOX.format(http=inbox.http_port)
    return lines + TRY_IT.format(api=api, body=body)
