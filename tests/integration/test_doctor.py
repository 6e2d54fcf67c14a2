"""`notify doctor` against real servers: everything fine, and each thing that can be wrong."""

import asyncio
import os
import re
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import trustme
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from service.config.settings import Settings
from service.doctor.doctor import examine
from service.doctor.finding import Finding
from service.doctor.locks import listen_finding
from service.doctor.mail import mail_finding
from service.doctor.transactions import Oldest, transaction_finding
from service.inbox.inbox import Inbox
from service.ledger.doctor_store import DoctorStore
from service.names.guard import LOOPBACK
from tests.ledger import ago, put
from tests.producers import role

SECRET = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"


async def gathered(findings: AsyncIterator[Finding]) -> dict[str, Finding]:
    return {finding.what: finding async for finding in findings}


def examined(**settings: Any) -> dict[str, Finding]:
    return asyncio.run(gathered(examine(Settings(**settings))))


def test_fine_where_all_is_fine(dsn, redis_url, redis_client, keys):
    redis_client.zadd(keys.leader, {b"the leader's": 0})
    with psycopg.connect(dsn, autocommit=True, application_name="notify-disp") as dispatcher:
        dispatcher.execute("select notify.lead(), notify.arm(5)")
        findings = examined(database_url=dsn, redis_url=redis_url, webhook_secret=(SECRET,))
    assert (findings["dispatcher"].found, findings["doorbell"].found) == ("leading", "armed")
    # The session's Valkey is ours, so its policy is what notify up would give it.
    assert {what: finding.advice for what, finding in findings.items() if finding.advice} == {}
    assert {"schema", "server", "clocks", "LISTEN", "Redis", "webhooks", "mail"} <= findings.keys()


def test_where_nobody_may_notify_the_doctor_says_what_to_grant(dsn, db):
    with role(db) as user:
        db.execute("revoke execute on function pg_notify(text, text) from public")
        finding = asyncio.run(listen_finding(make_conninfo(dsn, user=user, password="p")))
    assert "pg_notify" in finding.found
    assert "grant execute on function pg_notify(text, text) to public" in finding.advice
    assert "DIRECT" not in finding.advice


def test_who_leads_and_does_not_work_is_told(dsn, db):
    with psycopg.connect(dsn, autocommit=True, application_name="notify-disp") as dispatcher:
        dispatcher.execute("select notify.lead()")
        for ago_s, found in (
            (10, "leading"),
            (60, r"leading, but it has counted nothing for \d+ s"),
        ):
            db.execute("delete from notify.figures")
            db.execute("select notify.note_figures('x', '{0,0,0,0}', 0, 0, false, null)")
            db.execute("update notify.figures set at = at - %s * interval '1 second'", [ago_s])
            finding = examined(database_url=dsn)["dispatcher"]
            assert re.fullmatch(found, finding.found)
        assert int(re.findall(r"\d+", finding.found)[0]) >= 60
        assert f"pid {dispatcher.info.backend_pid}" in finding.advice
        assert "its log says which" in finding.advice


def test_what_is_missing_comes_with_what_to_do(dsn, db):
    put(db, "sending", lease_until=ago(db, "5 minutes"))
    put(db, "queued", due_at=ago(db, "5 minutes"))
    findings = examined(database_url=dsn)
    assert findings["dispatcher"].advice.startswith("start one: notify dispatcher")
    assert findings["leases"].found == "1 passed over a minute ago"
    assert "start more" in findings["oldest due"].advice
    assert "REDIS_URL" in findings["Redis"].advice
    assert "WEBHOOK_SECRET" in findings["webhooks"].advice


def test_who_holds_our_locks_is_named_with_what_ends_it(dsn):
    with psycopg.connect(dsn, autocommit=True, application_name="shop") as stranger:
        for lock in (1, 2):
            stranger.execute("select pg_advisory_lock(1852798057, %s)", [lock])
        findings = examined(database_url=dsn)
        pid, user = stranger.info.backend_pid, stranger.info.user
    for what in ("dispatcher", "doorbell"):
        assert f"pid {pid}, role {user}, application shop" in findings[what].found
        assert f"select pg_terminate_backend({pid})" in findings[what].advice


def test_an_empty_database_wants_a_migration(empty_dsn):
    findings = examined(database_url=empty_dsn)
    assert findings["database"].advice.endswith("run notify migrate")


def test_servers_that_are_away_are_named(dsn):
    nobody = "127.0.0.1:1"
    findings = examined(
        database_url=dsn,
        redis_url=f"redis://{nobody}/0",
        smtp_url=f"smtp://{nobody}",
        mail_from="a@b.c",
    )
    assert "REDIS_URL" in findings["Redis"].advice
    assert "SMTP_URL" in findings["mail"].advice


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


@pytest.mark.parametrize("greeting", [[], [b"220-wait\r\n"] * 10_000])
def test_a_mail_server_that_needs_more_time_than_a_send_has_is_named(greeting: list[bytes]):
    """Silent, or with another line each time that a limit for one reply would end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=[server, greeting], daemon=True).start()
        finding = mail_finding(
            Settings(
                smtp_url=f"smtp://127.0.0.1:{server.getsockname()[1]}",
                mail_from="a@b.c",
                send_deadline_s=0.3,
            )
        )
    assert finding.found == "127.0.0.1 does not let us in within 0.3 s"
    assert "raise SEND_DEADLINE_S" in finding.advice


@pytest.mark.parametrize("name", ["127.0.0.1", "another.test"])
def test_the_certificate_of_a_mail_server_is_held_against_its_name(name, monkeypatch, tmp_path):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=greet, args=[server, context], daemon=True).start()
        url = f"smtps://127.0.0.1:{server.getsockname()[1]}"
        finding = mail_finding(Settings(smtp_url=url, mail_from="a@b.c"))
    assert (finding.found == "127.0.0.1 lets us in") == (name == "127.0.0.1")
    assert ("certificate" in finding.found) == (name != "127.0.0.1")


def greet(server: socket.socket, context: ssl.SSLContext) -> None:
    """Speak SMTP over TLS with one client."""
    plain, _ = server.accept()
    with suppress(OSError), context.wrap_socket(plain, server_side=True) as client:
        client.sendall(b"220 hello\r\n")
        while line := client.recv(100):
            client.sendall(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 fine\r\n")


def drip(server: socket.socket, pieces: list[bytes]) -> None:
    """Say one piece after another to one client, until it is gone."""
    client, _ = server.accept()
    with client, suppress(OSError):
        client.settimeout(0.02)
        for piece in pieces:
            client.sendall(piece)
            with suppress(TimeoutError):
                if not client.recv(100):
                    return
        client.settimeout(None)
        client.recv(100)


def url(dsn: str, **changed: object) -> str:
    """Write the URL of a test's database with other parts."""
    parts = conninfo_to_dict(dsn) | changed
    who = f"{parts.pop('user')}:{parts.pop('password', '')}"
    where = f"{parts.pop('host')}:{parts.pop('port')}/{parts.pop('dbname')}"
    return f"postgresql://{who}@{where}?" + "&".join(f"{k}={v}" for k, v in parts.items())


@contextmanager
def answering(*answers: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Listen on loopback: read something, give each answer, then perhaps shake hands."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                with sock:
                    try:
                        for answer in answers:
                            sock.recv(1024)
                            sock.sendall(answer)
                        if context:
                            context.wrap_socket(sock, server_side=True).close()
                        elif not answers:
                            sock.recv(1024)
                            sock.recv(1)  # until the other end hangs up
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"password": "100%25%20wrong"}, "refuses the password of"),
        ({"user": "nobody_of_that_name"}, "refuses the password of nobody_of_that_name"),
        ({"dbname": "no_such_database"}, "has no database no_such_database"),
        ({"port": 1}, "nobody listens at 127.0.0.1:1"),
        ({"host": "nowhere.invalid"}, "the name nowhere.invalid does not resolve"),
        ({"sslmode": "require"}, "offers no TLS"),
    ],
)
def test_each_fault_of_a_database_url_is_named_and_the_rest_is_looked_at(dsn, changed, found):
    findings = examined(database_url=url(dsn, **changed), webhook_secret=(SECRET,))
    assert found in findings["database"].found
    assert findings["database"].advice
    assert findings["webhooks"].advice == ""
    assert "Redis" in findings


@pytest.mark.parametrize(
    ("answer", "found"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no PostgreSQL"), (b"", "hangs up")],
)
def test_what_is_no_postgresql_is_named(answer, found):
    with answering(answer) as port:
        findings = examined(database_url=f"postgresql://a:b@127.0.0.1:{port}/c?sslmode=disable")
    assert found in findings["database"].found


def test_silence_is_named():
    with answering() as port:
        findings = examined(database_url=f"postgresql://a:b@127.0.0.1:{port}/c?connect_timeout=2")
    assert findings["database"].found == f"127.0.0.1:{port} does not answer"


@pytest.mark.parametrize(
    ("trusted", "named", "found"),
    [(False, "127.0.0.1", "from nobody we trust"), (True, "db.example.org", "for another name")],
)
def test_a_certificate_that_is_not_right_is_named(tmp_path, trusted, named, found):
    authority, stranger = trustme.CA(), trustme.CA()
    (authority if trusted else stranger).cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(named).configure_cert(context)
    options = f"sslmode=verify-full&sslrootcert={tmp_path}/ca.pem"
    with answering(b"S", context=context) as port:
        findings = examined(database_url=f"postgresql://a:b@127.0.0.1:{port}/c?{options}")
    assert found in findings["database"].found


def test_the_direct_url_is_looked_at_as_well(dsn):
    findings = examined(database_url=dsn, database_direct_url=url(dsn, port=1))
    assert "nobody listens" in findings["database"].found
    assert "DATABASE_DIRECT_URL" in findings["database"].advice
    assert findings["schema"].advice == ""


async def oldest(dsn: str, age_max: timedelta, hidden_max: int = 10_000) -> Finding:
    async with DoctorStore(dsn, "notify-doctor") as store:
        return await transaction_finding(store, age_max, hidden_max)


def test_whose_transaction_is_the_oldest_is_said_with_what_ends_it(dsn, db):
    # Nobody waits for five minutes: the function that judges is asked with less.
    with psycopg.connect(dsn, application_name="shop") as stranger:
        stranger.execute("select 1")
        finding = asyncio.run(oldest(dsn, age_max=timedelta(0)))
        pid, user = stranger.info.backend_pid, stranger.info.user
    assert f"pid {pid}, role {user}, application shop, idle in transaction since" in finding.found
    assert f"select pg_terminate_backend({pid})" in finding.advice


def test_a_role_without_rights_sees_whose_snapshot_is_old(dsn, db):
    """It sees no times of others: the age in transactions has to do."""
    name = f"doctor_{os.getpid()}"
    db.execute(SQL("create role {} login password 'x'").format(Identifier(name)))
    try:
        with psycopg.connect(dsn, application_name="shop") as stranger:
            stranger.execute("set transaction isolation level repeatable read")
            stranger.execute("select 1")
            db.execute("select pg_current_xact_id()")
            as_role = url(dsn, user=name, password="x")
            finding = asyncio.run(oldest(as_role, timedelta(0), hidden_max=0))
            pid = stranger.info.backend_pid
        assert f"pid {pid}, role " in finding.found
        assert "application shop, what it does is hidden, begun " in finding.found
        assert " transactions ago" in finding.found
        assert finding.advice == ""
    finally:
        db.execute(SQL("drop role {}").format(Identifier(name)))


def test_a_prepared_transaction_is_ended_by_its_name():
    oldest = Oldest(None, "shop", "", "it's", "prepared", None, None, 5)
    assert "prepared transaction" in str(oldest)
    assert oldest.end == "rollback prepared 'it''s'"


def test_a_table_of_the_users_own_is_no_fault(dsn, db):
    db.execute("create table public.notifications (id bigint)")
    assert examined(database_url=dsn)["producers"] == Finding(
        "producers", "`notifications` is public's own table: producers write notify.notifications"
    )


def test_a_search_path_without_our_table_is_a_fault(dsn, db):
    name = str(conninfo_to_dict(dsn)["dbname"])
    db.execute(SQL("alter database {} reset search_path").format(Identifier(name)))
    assert "run notify migrate" in examined(database_url=dsn)["producers"].advice


CHECKED = {"server", "clocks", "leases", "partitions", "default partition", "NOTIFY queue"}


@pytest.mark.parametrize("function", ["checkup(regclass)", "lock_holder(integer)", "gauges()"])
def test_a_finding_that_fails_stops_none_of_the_others(dsn, db, function):
    findings = examined(database_url=dsn, webhook_secret=(SECRET,))
    [body] = db.execute("select pg_get_functiondef(%s::regprocedure)", [f"notify.{function}"])
    broken = re.sub(r"LANGUAGE \w+", "LANGUAGE plpgsql", body[0])
    head, tag, *_ = re.split(r"(AS \$\w*\$)", broken)
    db.execute(f"{head} {tag} begin raise 'broken'; end {tag.removeprefix('AS ')}")
    without = examined(database_url=dsn, webhook_secret=(SECRET,))
    failed = {what for what, finding in without.items() if "cannot be looked at" in finding.found}
    assert failed
    assert without.keys() >= findings.keys() - CHECKED
    assert {"oldest transaction", "LISTEN", "Redis", "webhooks", "mail"} <= without.keys() - failed


def test_the_guard_names_the_receivers_that_it_refuses(dsn, db, resolver):
    resolver.answers |= {"in.test": ["10.0.0.1"], "mixed.test": ["10.0.0.1", "8.8.8.8"]}
    hooks = (
        ["http://user:hunter2@127.0.0.1:8080/token"] * 3
        + ["http://in.test/a", "http://in.test/b", "https://mixed.test/", "https://8.8.8.8/"]
        + ["http://a.gone.test/"]
    )
    for url in hooks:
        put(db, "sent", channel="webhook", recipient=url)
    put(db, "failed", channel="webhook", recipient="http://10.9.9.9/")
    put(db, "queued", channel="log", recipient="http://10.8.8.8/")
    found = examined(database_url=dsn)["receivers"]
    assert found.found == (
        "2 of 5 of the last day are refused: http://127.0.0.1:8080 (3), http://in.test (2)"
    )
    assert "WEBHOOK_ALLOW" in found.advice
    settings = {"webhook_allow": LOOPBACK, "webhook_private": True}
    found = examined(database_url=dsn, **settings)["receivers"]
    assert found == Finding("receivers", "none of 5 of the last day is refused")


def test_behind_a_proxy_the_guard_judges_by_the_url_alone(dsn, db, resolver):
    resolver.answers["in.test"] = ["10.0.0.1"]
    for url in ("http://in.test/a", "http://10.0.0.1/"):
        put(db, "sent", channel="webhook", recipient=url)
    found = examined(database_url=dsn, webhook_proxy_url="http://proxy.test:3128")["receivers"]
    assert found.found == "1 of 2 of the last day are refused: http://10.0.0.1 (1)"
    assert not resolver.asked
