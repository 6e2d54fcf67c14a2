"""`notify doctor` against real servers: everything fine, and each thing that can be wrong."""

import asyncio
from collections.abc import AsyncIterator

import psycopg

from service.config import Settings
from service.doctor import examine
from service.finding import Finding
from service.inbox import Inbox
from tests.ledger import ago, put

SECRET = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"


async def gathered(findings: AsyncIterator[Finding]) -> dict[str, Finding]:
    return {finding.what: finding async for finding in findings}


def examined(**settings: object) -> dict[str, Finding]:
    return asyncio.run(gathered(examine(Settings(**settings))))


def test_fine_where_all_is_fine(dsn, redis_url, redis_client, keys):
    redis_client.set(keys.epoch, b"the leader's")
    with psycopg.connect(dsn, autocommit=True, application_name="notify-disp") as dispatcher:
        dispatcher.execute("select notify.lead(), notify.arm(5)")
        found = examined(database_url=dsn, redis_url=redis_url, webhook_secret=(SECRET,))
    assert (found["dispatcher"].found, found["doorbell"].found) == ("leading", "armed")
    # The session's Valkey is ours, so its policy is what notify up would give it.
    assert {what: finding.advice for what, finding in found.items() if finding.advice} == {}
    assert {"schema", "server", "clocks", "LISTEN", "Redis", "webhooks", "mail"} <= found.keys()


def test_what_is_missing_comes_with_what_to_do(dsn, db):
    put(db, "sending", lease_until=ago(db, "5 minutes"))
    put(db, "queued", due_at=ago(db, "5 minutes"))
    found = examined(database_url=dsn)
    assert found["dispatcher"].advice.startswith("start one: notify dispatcher")
    assert found["leases"].found == "1 passed over a minute ago"
    assert "start more" in found["oldest due"].advice
    assert "REDIS_URL" in found["Redis"].advice
    assert "WEBHOOK_SECRET" in found["webhooks"].advice


def test_who_holds_our_locks_is_named_with_what_ends_it(dsn):
    with psycopg.connect(dsn, autocommit=True, application_name="shop") as stranger:
        for lock in (1, 2):
            stranger.execute("select pg_advisory_lock(1852798057, %s)", [lock])
        found = examined(database_url=dsn)
        pid, user = stranger.info.backend_pid, stranger.info.user
    for what in ("dispatcher", "doorbell"):
        assert f"pid {pid}, role {user}, application shop" in found[what].found
        assert f"select pg_terminate_backend({pid})" in found[what].advice


def test_an_empty_database_wants_a_migration(empty_dsn):
    found = examined(database_url=empty_dsn)
    assert found["database"].advice.endswith("run notify migrate")


def test_servers_that_are_away_are_named(dsn):
    nobody = "127.0.0.1:1"
    found = examined(
        database_url=dsn,
        redis_url=f"redis://{nobody}/0",
        smtp_url=f"smtp://{nobody}",
        mail_from="a@b.c",
    )
    assert "REDIS_URL" in found["Redis"].advice
    assert "SMTP_URL" in found["mail"].advice


def test_a_mail_server_is_logged_in_to(dsn):
    async def look() -> dict[str, Finding]:
        inbox = Inbox(host="127.0.0.1", http_port=0, smtp_port=0)
        await inbox.start()
        try:
            url = f"smtp://127.0.0.1:{inbox.smtp_port}"
            settings = Settings(database_url=dsn, smtp_url=url, mail_from="a@b.c")
            return await gathered(examine(settings))
        finally:
            await inbox.stop()

    assert asyncio.run(look())["mail"] == Finding("mail", "127.0.0.1 lets us in")
