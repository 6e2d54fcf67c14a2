"""The service as it is deployed, watched by a real Prometheus: what the screens say is true.

Two dispatchers, so that one stands by, and two workers. Notifications end in every way they can;
then each panel and each rule is asked, and the figures are compared with counts in SQL.
"""

import os
import socket
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import promql_parser
import psycopg
import pytest
import redis
from aiosmtpd.controller import Controller
from psycopg.sql import SQL, Identifier

from service.ledger.migrate import migrate
from tests.acceptance.conftest import Command, free_port, post
from tests.conftest import url_of
from tests.grafana import Query, promql, queries, sql
from tests.integration.workers.sink import Sink
from tests.loki import FakeLoki, fake_loki
from tests.prometheus import Prometheus, Target, answers, prometheus
from tests.waiting import LIMIT_S, wait_for

LOAD_S = 20.0
RATE_INTERVAL = "15s"
SINCE_S = 1800.0  # all of it, however long it took
LATER, HELD, STALE, DEAD = 5, 3, 12, 12  # rows that end up so
MAIL = {"subject": "Hello", "text": "It works."}

pytestmark = [pytest.mark.slow, pytest.mark.needs("prometheus")]


class Mailboxes:
    """Takes all mail but that of nobody@."""

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"


class Watched:
    """The running service, its ledger, its receivers, and who watches it."""

    def __init__(
        self, api: str, db: psycopg.Connection[Any], prom: Prometheus, loki: FakeLoki
    ) -> None:
        self.api = api
        self.db = db
        self.prom = prom
        self.loki = loki
        self.posted = 0
        self.cancelled = 0
        self.redriven = 0

    def enqueue(self, channel: str, recipient: str, **more: Any) -> str:
        """POST one, and count it."""
        body = {"channel": channel, "recipient": recipient, "payload": {}} | more
        answer = post(f"{self.api}/notify", body)
        self.posted += 1
        return str(answer["id"])

    def count(self, where: str) -> int:
        """Count notifications."""
        query = f"select count(*) from notify.notifications where {where}"
        return int(self.db.execute(query).fetchone()[0])

    def rows(self, query: str) -> dict[tuple[str, ...], float]:
        """Give counts by their group, as Prometheus would, without those that are 0."""
        found = self.db.execute(query).fetchall()
        return {tuple(map(str, group)): float(n) for *group, n in found if n}

    def agree(self, expr: str, query: str) -> None:
        """Check that Prometheus has come to say what the ledger says."""

        def shown() -> dict[tuple[str, ...], float]:
            return {labels: value for labels, value in self.prom.now(expr).items() if value}

        def agreed() -> bool:
            return shown() == self.rows(query)

        try:
            wait_for(agreed)
        except TimeoutError:
            assert shown() == self.rows(query), expr
        assert self.rows(query), f"nothing was counted: {query}"


@pytest.fixture(scope="module")
def watched(
    servers: SimpleNamespace, database_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """Start everything, drive the load, and leave it at rest: LATER queued and HELD sending."""
    home = tmp_path_factory.mktemp("watched")
    with ExitStack() as stack:
        url, db = stack.enter_context(database(servers, database_server))
        limit_redis(servers.redis_url, stack)
        loki = stack.enter_context(fake_loki())
        ports = SimpleNamespace(api=free_port(), smtp=free_port(), prometheus=free_port())
        mail = Controller(Mailboxes(), hostname="127.0.0.1", port=ports.smtp)
        mail.start()
        stack.callback(mail.stop)
        sinks = SimpleNamespace(
            **{name: sink(stack) for name in ("calm", "moody", "stuck", "slow")}
        )
        targets = [Target("api", ports.api), *(
            Target(role, free_port()) for role in ("dispatcher", "dispatcher", "worker", "worker")
        )]  # fmt: skip
        env = {
            "DATABASE_URL": url,
            "REDIS_URL": servers.redis_url,
            "LOKI_URL": loki.url,
            "SMTP_URL": f"smtp://127.0.0.1:{ports.smtp}",
            "MAIL_FROM": "notify@example.org",
            "WEBHOOK_ALLOW": "127.0.0.0/8",
            "PORT": str(ports.api),
            "LOG_LEVEL": "debug",
            "RETRY_SCHEDULE": "3s",
            "SEND_DEADLINE_S": "300",
            "LEASE_S": "310",
            "SHUTDOWN_GRACE_S": "1",
            "GAUGES_INTERVAL_S": "0.5",
            "REAPING_INTERVAL_MINS": "0.02",
            "RECONCILIATION_INTERVAL_MINS": "0.02",
        }
        for target in targets:
            command = Command(home, target.role, **env, METRICS_PORT=str(target.port))
            stack.callback(stop, command)
        for target in targets:
            wait_for(lambda: answers(f"http://127.0.0.1:{target.port}/metrics"))  # noqa: B023
        prom = stack.enter_context(prometheus(home, ports.prometheus, targets))
        watched = Watched(f"http://127.0.0.1:{ports.api}", db, prom, loki)
        # A rate sees nothing of what a counter counted before it was first scraped.
        wait_for(lambda: prom.value("count(up == 1)") == len(targets))
        drive(watched, sinks)
        yield watched
        for one in vars(sinks).values():
            one.hold.set()


def stop(command: Command) -> None:
    """Stop one role; what it said goes with its directory."""
    command.process.terminate()
    command.process.wait(LIMIT_S)


def sink(stack: ExitStack) -> Sink:
    """Listen for webhooks until the stack is left."""
    made = Sink()
    stack.callback(made.close)
    stack.callback(made.hold.set)
    return made


def limit_redis(url: str, stack: ExitStack) -> None:
    """Empty it, and give it a limit as in production, for as long as the stack lasts."""
    client = stack.enter_context(redis.Redis.from_url(url))
    client.flushdb()
    stack.callback(client.config_set, "maxmemory", 0)
    client.config_set("maxmemory", 256 * 1024 * 1024)


@contextmanager
def database(
    servers: SimpleNamespace, server: Any
) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """Make a migrated database; gives its URL and a connection."""
    name = f"notify_watched_{os.getpid()}"
    with psycopg.connect(servers.database_url, autocommit=True) as admin:
        admin.execute(SQL("create database {}").format(Identifier(name)))
        url = url_of(server, name)
        migrate(url)
        with psycopg.connect(url, autocommit=True) as db:
            yield url, db
        admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))


def soon(seconds: float) -> str:
    """Write a time that comes."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def drive(on: Watched, sinks: SimpleNamespace) -> None:
    """Let notifications end in every way, for LOAD_S."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    sinks.moody.now = 410
    for _ in range(LATER):
        on.enqueue("log", "later", send_at=soon(86400))
    for n in range(HELD):
        on.enqueue("webhook", f"{sinks.slow.url}/held/{n}", priority=0)
    stale = [on.enqueue("webhook", f"{sinks.stuck.url}/held/{n}") for n in range(STALE)]
    for _ in range(DEAD):
        on.enqueue("webhook", f"{dead}/", reference="dead", priority=3, max_attempts=100)
    began = time.monotonic()
    n = 0
    while time.monotonic() < began + LOAD_S:
        n += 1
        mixed(on, sinks, n)
        if n == 50:
            take_back(on, stale)
            sinks.stuck.hold.set()
    wait_for(lambda: on.prom.value('max_over_time(sum(worker_breakers{state="open"})[10m:1s])'))
    settle_down(on, sinks)


def mixed(on: Watched, sinks: SimpleNamespace, n: int) -> None:
    """Enqueue the n-th of the load; most arrive."""
    kind = n % 10
    if kind == 0:
        on.enqueue("webhook", f"{sinks.moody.url}/now/{n}", priority=1)  # 410 for now
    elif kind == 1:
        on.enqueue("webhook", f"{sinks.calm.url}/once/503/X-N={n}")  # retried, then sent
    elif kind == 2:
        on.enqueue("email", "ada@example.org", payload=MAIL)
    elif kind == 3 and n % 3 == 0:
        on.enqueue("email", "nobody@example.org", payload=MAIL)
    elif kind == 4 and n % 3 == 0:
        on.enqueue("webhook", f"{sinks.calm.url}/status/503", expires_at=soon(1.2))
    elif kind == 5 and n % 3 == 0:
        refused(on, {"channel": "pigeon"})
        turned_away(on)
    elif kind == 6 and n % 3 == 0:
        cancel(on, on.enqueue("log", "tomorrow", send_at=soon(86400)))
    elif kind == 7:
        by_sql(on, 20)
    elif kind == 8 and n % 3 == 0:
        with on.db.transaction():  # their time is over before anybody sees them
            by_sql(on, 2, recipient="too late")
            on.db.execute(
                "update notify.notifications set expires_at = now() - interval '1 second'"
                " where recipient = 'too late' and status = 'queued'"
            )
    else:
        on.enqueue("webhook", f"{sinks.calm.url}/status/200", priority=n % 4)


def by_sql(on: Watched, rows: int, recipient: str = "r") -> None:
    """Enqueue as another system does."""
    on.db.execute(
        "insert into notify.notifications (channel, recipient, payload, reference)"
        " select 'log', %s, '{}', 'by SQL' from generate_series(1, %s)",
        [recipient, rows],
    )


def refused(on: Watched, body: dict[str, Any]) -> None:
    """POST what is wrong."""
    with pytest.raises(urllib.error.HTTPError):
        post(f"{on.api}/notify", body)


def turned_away(on: Watched) -> None:
    """POST what is compressed."""
    request = urllib.request.Request(
        f"{on.api}/notify", b"{}", {"content-encoding": "gzip", "content-type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request, timeout=LIMIT_S)


def cancel(on: Watched, id: str) -> None:
    """Call one off."""
    assert post(f"{on.api}/notifications/{id}/cancel", {})["id"] == id
    on.cancelled += 1


def take_back(on: Watched, ids: list[str]) -> None:
    """Let the leases of what is being sent pass, so that it is sent once more."""
    mine = f"id = any ('{{{','.join(ids)}}}')"
    wait_for(lambda: on.count(f"{mine} and status = 'sending'") == len(ids))
    on.db.execute(
        "update notify.notifications set lease_until = now() - interval '1 minute'"
        f" where {mine} and status = 'sending'"
    )
    wait_for(lambda: on.count(f"{mine} and attempt = 2 and status = 'sending'") == len(ids))


def settle_down(on: Watched, sinks: SimpleNamespace) -> None:
    """Redrive what was refused, call off what cannot arrive, and wait until nothing moves."""
    sinks.moody.now = 200
    refused_410 = {"filter": {"last_error_code": "410"}, "rate_per_s": 10_000}
    wait_for(lambda: not on.count("status = 'sending' and recipient like '%/now/%'"))
    on.redriven = post(f"{on.api}/redrive", refused_410)["redriven"]
    for (id,) in on.db.execute("select id from notify.notifications where reference = 'dead'"):
        wait_for(lambda: called_off(on, str(id)))  # noqa: B023
    wait_for(
        lambda: (on.count("status = 'queued'"), on.count("status = 'sending'")) == (LATER, HELD)
    )
    wait_for(lambda: not on.db.execute("select count(*) from notify.slo_deltas").fetchone()[0])


def called_off(on: Watched, id: str) -> bool:
    """Cancel it, unless it is being tried at this moment."""
    try:
        cancel(on, id)
    except urllib.error.HTTPError as error:
        assert error.code == 409, error.read()
        return False
    return True


BY_CHANNEL = "select channel, count(*) from notify.notifications where {} group by channel"


def test_what_came_in_is_counted(watched: Watched) -> None:
    watched.agree(
        "sum by (channel) (api_jobs_enqueued_total)",
        BY_CHANNEL.format("reference is distinct from 'by SQL'"),
    )
    assert watched.prom.value("sum(api_jobs_enqueued_total)") == watched.posted
    accepted = 'sum(api_request_seconds_count{route="/notify", code="202"})'
    assert watched.prom.value(accepted) == watched.posted


@pytest.mark.parametrize("word", ["sent", "expired"])
def test_what_ended_is_counted_by_channel(watched: Watched, word: str) -> None:
    watched.agree(
        f"sum by (channel) (worker_jobs_{word}_total)", BY_CHANNEL.format(f"status = '{word}'")
    )


def test_what_failed_is_counted_and_counted_again_when_it_was_redriven(watched: Watched) -> None:
    assert watched.redriven > 0
    watched.agree(
        "sum by (channel) (worker_jobs_failed_total)",
        "select channel, count(*) from notify.notifications n"
        " join notify.attempts a on a.notification_id = n.id"
        " where a.outcome = 'permanent' group by channel",
    )
    failed = watched.prom.value("sum(worker_jobs_failed_total)")
    assert failed == watched.count("status = 'failed'") + watched.redriven


def test_attempts_are_counted_by_what_came_of_them(watched: Watched) -> None:
    by_outcome = (
        "select n.channel, a.outcome, count(*) from notify.attempts a"
        " join notify.notifications n on n.id = a.notification_id"
        " where a.outcome {} 'lease_expired' group by n.channel, a.outcome"
    )
    watched.agree("sum by (channel, outcome) (worker_attempts_total)", by_outcome.format("<>"))
    watched.agree("sum(reaper_rows_total)", "select count(*) from notify.attempts"
                  " where outcome = 'lease_expired'")  # fmt: skip
    assert watched.prom.value("sum(reaper_rows_total)") == STALE
    assert watched.prom.value("sum(worker_stale_settles_total)") == STALE
    watched.agree(
        "sum by (channel) (worker_jobs_retried_total)",
        "select n.channel, count(*) from notify.attempts a"
        " join notify.notifications n on n.id = a.notification_id"
        " where a.outcome in ('temporary', 'unreachable')"
        "   and not (n.status = 'expired' and a.attempt = n.attempt)"
        " group by n.channel",
    )


def test_what_was_claimed_was_sent_given_back_or_is_still_in_hand(watched: Watched) -> None:
    watched.agree(
        "sum by (channel) (worker_jobs_picked_up_total)",
        "select channel, sum(attempt) from notify.notifications group by channel",
    )
    claimed = watched.prom.value("sum(worker_jobs_picked_up_total)")
    ended = watched.prom.value(
        "sum(worker_attempts_total) + sum(worker_stale_settles_total)"
        " + sum(worker_jobs_released_total) + sum(worker_jobs_in_hand)"
    )
    assert claimed == ended


def test_histograms_hold_what_was_sent(watched: Watched) -> None:
    watched.agree(
        "sum by (channel) (worker_enqueue_to_sent_seconds_count)",
        BY_CHANNEL.format("status = 'sent'"),
    )
    watched.agree(
        'sum by (channel) (worker_enqueue_to_sent_seconds_bucket{le="10.0"})',
        BY_CHANNEL.format("status = 'sent' and settled_at - created_at <= interval '10 seconds'"),
    )


def test_the_objective_is_what_the_notifications_themselves_say(watched: Watched) -> None:
    ended = (
        "select channel, priority, case when status <> 'sent' then status"
        " when settled_at - greatest(created_at, send_at) <= interval '10 seconds' then 'in_time'"
        " else 'late' end as result, count(*) from notify.notifications"
        " where status in ('sent', 'failed', 'expired') group by 1, 2, 3"
    )
    daily = " union all ".join(
        f"select channel, priority, '{result}' as result, sum({result}) from notify.slo_daily"
        " group by 1, 2"
        for result in ("in_time", "late", "failed", "expired")
    )
    assert watched.rows(daily) == watched.rows(ended)
    results = 'sum by (channel, priority, result) (slo_notifications_total{result!="failed"})'
    watched.agree(results, f"select * from ({ended}) e where result <> 'failed'")
    failed = watched.prom.value('sum(slo_notifications_total{result="failed"})')
    assert failed == watched.count("status = 'failed'") + watched.redriven


def test_the_gauges_show_the_ledger(watched: Watched) -> None:
    watched.agree("max(db_queued_notifications)",
                  "select count(*) from notify.notifications where status = 'queued'")  # fmt: skip
    watched.agree("max(db_sending_notifications)",
                  "select count(*) from notify.notifications where status = 'sending'")  # fmt: skip
    assert watched.prom.value("sum(worker_jobs_in_hand)") == HELD
    assert watched.prom.value("sum(worker_sends_in_flight)") == HELD
    assert watched.prom.value("max(db_oldest_due_age_seconds)") == 0
    assert watched.prom.value("sum(dispatcher_leading)") == 1
    assert watched.prom.value("count(dispatcher_leading)") == 2  # one stands by


def test_what_operators_did_is_counted_and_marked(watched: Watched) -> None:
    assert watched.count("status = 'cancelled'") == watched.cancelled
    assert watched.prom.now("sum by (verb) (api_operator_rows_total)") == {
        ("cancel",): watched.cancelled,
        ("redrive",): watched.redriven,
        ("send_again",): 0,
        ("probe",): 0,
    }


@pytest.mark.parametrize("query", queries("prometheus"), ids=str)
def test_every_panel_shows_something(watched: Watched, query: Query) -> None:
    expr = promql(query.text, RATE_INTERVAL)
    shown = (
        watched.prom.now(expr) if query.is_instant else watched.prom.values_of_last(expr, SINCE_S)
    )
    assert shown, expr


@pytest.mark.parametrize("query", queries("postgres"), ids=str)
def test_every_table_is_answered(watched: Watched, query: Query) -> None:
    (one,) = watched.db.execute(
        "select id::text from notify.notifications where channel = 'webhook'"
        " and status = 'queued' or status = 'sending' limit 1"
    ).fetchone()
    chosen = {"id": one, "reference": "dead", "notification": one}
    found = watched.db.execute(sql(query.text, **chosen)).fetchall()
    assert found or "status = 'queued'" in query.text or "attempts a" in query.text


def test_every_rule_is_evaluated_and_reads_what_is_there(watched: Watched) -> None:
    groups = watched.prom.get("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 30
    recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
    for rule in rules:
        assert rule["health"] in ("ok", "unknown"), rule  # unknown: its turn comes each 2 minutes
        watched.prom.now(rule["query"])  # raises
        for selector in selectors(rule["query"]):
            if selector.name not in recorded:
                assert watched.prom.values_of_last(selector.prettify(), SINCE_S), (
                    rule["name"],
                    selector,
                )
        if rule["type"] == "recording":
            assert watched.prom.values_of_last(rule["query"], SINCE_S), rule


def selectors(expr: str) -> list[Any]:
    """Find what an expression reads."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found


def test_an_alert_that_fires_is_on_the_first_screen(watched: Watched) -> None:
    firing = watched.prom.now('ALERTS{alertname="StaleSettles", alertstate="firing"}')
    assert len(firing) == 1


def test_the_lines_of_one_notification_are_found_by_its_id(watched: Watched) -> None:
    (id,) = watched.db.execute(
        "select id::text from notify.notifications where recipient like '%/once/%' limit 1"
    ).fetchone()
    story = wait_for(lambda: len(watched.loki.story(id)) >= 3 and watched.loki.story(id))
    roles = Counter(line.labels["role"] for line in story)
    assert set(roles) == {"api", "worker"}
    assert {"retry", "sent"} <= {line.fields["event"] for line in story}
    dropped = watched.prom.value("sum(log_lines_dropped_total)")
    assert dropped == 0
