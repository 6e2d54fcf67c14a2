"""What workers counted of a destination."""

from typing import Any

from psycopg import Connection

MINUTE = """
insert into notify.destination_minutes
  (minute, channel, destination, sends, failures, took, last_code, last_failed_at)
select date_trunc('minute', now()) - %(ago)s * interval '1 minute', %(channel)s, %(destination)s,
  %(sends)s, %(failures)s, ('{0,0,0,0,0,' || %(sends)s || ',0,0,0,0,0,0,0,0}')::integer[],
  %(code)s, case when %(failures)s > 0 then now() end
"""


def took(
    db: Connection[Any], destination: str, *, ago: int = 1, channel: str = "webhook",
    sends: int = 10, failures: int = 0, code: str | None = None,
) -> None:  # fmt: skip
    """Let workers have counted what a destination took in the minute that began so long ago."""
    db.execute(MINUTE, {"ago": ago, "channel": channel, "destination": destination,
                        "sends": sends, "failures": failures, "code": code})  # fmt: skip
