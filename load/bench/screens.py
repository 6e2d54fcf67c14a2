"""How long each screen of the console takes, on a ledger with a day behind it."""

import http.client
import time
from collections import defaultdict
from statistics import median
from urllib.parse import urlsplit

import psycopg

from load.bench.processes import BenchError, until
from load.bench.stack import Role, Stack
from load.bench.table import Row

ROUNDS = 10
PAUSE_S = 3.1  # what viewers share is 3 s old at most: so each round reads anew
FLOOR = "/healthz"
# Of 100 rows 88 were sent, 2 failed, 5 fall due tomorrow, and 5 are due and will be sent.
ROWS = """
insert into notify.notifications (id, channel, recipient, payload, status, attempt, max_attempts,
  due_at, created_at, settled_at, reference, producer, last_error_code)
select
  (left(notify.id_floor(at)::text, 14) || '7' || substr(gen_random_uuid()::text, 16))::uuid,
  case when kind < 95 then 'webhook' else 'log' end,
  'https://d' || n %% 1000 || '.example.org/hook',
  '{"text": "hello"}',
  case when kind < 88 then 'sent' when kind < 90 then 'failed' else 'queued' end,
  case when kind < 90 then 1 else 0 end,
  10,
  case when kind between 90 and 94 then at + interval '1 day' else at end,
  at,
  case when kind < 90 then at + interval '1 second' end,
  'order-' || n / 5,
  'shop',
  case when kind between 88 and 89 then '503' end
from (
  select n, n %% 100 as kind, began + (now() - began) * n / %(rows)s as at
  from generate_series(1, %(rows)s) as n,
    least(date_trunc('day', now(), 'utc'), now() - interval '1 hour') as began) as r
"""
ATTEMPTS = """
insert into notify.attempts
  (notification_id, attempt, started_at, took_ms, outcome, code, worker)
select id, 1, created_at, 40, case status when 'sent' then 'sent' else 'permanent' end,
  coalesce(last_error_code, '200'), 'host:1-' || right(id::text, 1)
from notify.notifications where attempt = 1
"""
MINUTES = """
insert into notify.destination_minutes
  (minute, channel, destination, sends, failures, took, last_code, last_failed_at)
select date_trunc('minute', now()) - m * interval '1 minute', 'webhook',
  'https://d' || d || '.example.org', 20, 1, '{0,0,0,5,5,5,5,0,0,0,0,0,0,0}', '503', now()
from generate_series(1, 60) as m, generate_series(0, 999) as d
"""
USES = """
select count(notify.record_use('shop', null, 'cancel', '{"cancelled": 1}'))
from generate_series(1, 10000)
"""
TABLES = "notify.notifications, notify.attempts, notify.destination_minutes, notify.audit"
IS_SENT = """
select not exists (
  select from notify.notifications where status = 'queued' and due_at < now())
"""
ONE = """
select id from notify.notifications where status = 'sent' order by id desc limit 1 offset 1000
"""


def run(stack: Stack) -> Row:
    """Fill a ledger, let the roles run, and look at each screen again and again."""
    fill(stack)
    with stack.role("dispatcher"), stack.role("worker"), stack.role("api") as api:
        until(lambda: stack.sql(IS_SENT)[0][0], 120, "all that is due is sent")
        [(id,)] = stack.sql(ONE)
        took = look(api, screens(id))
    stack.sql("truncate notify.destination_minutes")
    floor = took.pop(FLOOR)
    seen = ", ".join(
        f"{name} {median(ms):.0f} (slowest {max(ms):.0f})" for name, ms in took.items()
    )
    return Row(
        what=f"the slowest screen, ledger of {stack.options.backlog:,}",
        figure=max(median(ms) for ms in took.values()),
        unit="ms",
        asked=100,
        ceiling=median(floor),
        ceiling_is=f"GET {FLOOR}",
        note=f"medians of {ROUNDS}: {seen}",
    )


def fill(stack: Stack) -> None:
    """Write a day's rows, without the triggers that would take them for new."""
    stack.clear()
    with psycopg.connect(stack.database_url, autocommit=True) as conn:
        conn.execute("alter table notify.notifications disable trigger user")
        conn.execute(ROWS, {"rows": stack.options.backlog})
        conn.execute("alter table notify.notifications enable trigger user")
        for statement in (ATTEMPTS, MINUTES, USES):
            conn.execute(statement)
        conn.execute(f"vacuum (analyze) {TABLES}")


def screens(id: object) -> dict[str, str]:
    """Name each screen's path, and Search by what has an index and by what has none."""
    search = "/console/search"
    return {
        FLOOR: FLOOR,
        "Now": "/console",
        "Search": search,
        "… failed": f"{search}?status=failed",
        "… queued": f"{search}?status=queued",
        "… reference": f"{search}?reference=order-1000",
        "… code": f"{search}?last_error_code=503",
        "… nobody's recipient": f"{search}?recipient=https://d1.example.org/nobody",
        "… nobody's destination": f"{search}?destination=https://nobody.example.org",
        "… nobody's worker": f"{search}?worker=nobody",
        "One": f"/console/notifications/{id}",
        "Destinations": "/console/destinations",
        "… found": "/console/destinations?find=d77",
        "one destination": "/console/destinations?channel=webhook&name=https://d7.example.org",
        "Try": "/console/try",
        "Audit": "/console/audit",
    }


def look(api: Role, paths: dict[str, str]) -> dict[str, list[float]]:
    """Ask for each page in turns; returns the milliseconds of each."""
    took = defaultdict(list)
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=30)
    for _ in range(ROUNDS):
        for name, path in paths.items():
            began = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            took[name].append((time.perf_counter() - began) * 1000)
            if answer.status != 200:
                raise BenchError(f"{path}: {answer.status}")
        time.sleep(PAUSE_S)
    connection.close()
    return took
