"""Names of receivers: looked up once, beside the road; the silence of one costs no other."""

import time

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from service.config.settings import Settings
from service.errors import RedisAway
from service.names.guard import LOOPBACK
from service.names.lookups import QUICK_MAX
from tests import ledger
from tests.integration.dispatch.servers import Valkey
from tests.waiting import wait_for
from workers.channels.channel import Mail, Post
from workers.http_handle import HttpHandle
from workers.names import first_few
from workers.ready_set import ReadySet
from workers.transfers import Transfers


def webhooks(db, names, port, path="/status/200", **columns):
    """Enqueue a webhook to each of these names."""
    return [
        ledger.enqueue(
            db, channel="webhook", recipient=f"http://{name}:{port}{path}", payload="{}", **columns
        )[0]
        for name in names
    ]


def rows(db, ids):
    query = "select * from notify.notifications where id = any (%s)"
    return db.execute(query, [ids]).fetchall()


def attempts(db, ids):
    query = "select * from notify.attempts where notification_id = any (%s)"
    return db.execute(query, [ids]).fetchall()


def statuses(db, ids):
    return {row.status for row in rows(db, ids)}


@pytest.fixture
def port(sink):
    return int(sink.url.rpartition(":")[2])


@pytest.fixture
def patient(monkeypatch):
    """No look-up fails for its time before a test has ended."""
    monkeypatch.setattr("workers.names.ANSWER_MAX_S", 60.0)


@pytest.mark.parametrize("dead", [50, 300])
@pytest.mark.usefixtures("patient")
def test_names_whose_resolver_is_silent_hold_up_no_others(db, start, port, resolver, dead):
    silent = webhooks(db, [f"n{n}.dead.test" for n in range(dead)], port, priority=0)
    start(num_threads=1, sends_per_thread=16, max_retries=0)
    wait_for(lambda: sum(resolver.asked.values()) >= min(dead, QUICK_MAX))
    healthy = webhooks(db, [f"n{n}.test" for n in range(100)], port)
    if dead > QUICK_MAX:  # more than there are threads
        resolver.release.set()
    wait_for(lambda: statuses(db, healthy) == {"sent"})
    assert len(attempts(db, healthy)) == 100
    if dead <= QUICK_MAX:
        assert statuses(db, silent) <= {"queued", "sending"}
        assert not attempts(db, silent)  # what has not left is no attempt


def test_a_name_is_looked_up_once_whoever_waits_for_it(db, start, port, resolver):
    ids = webhooks(db, ["one.test"] * 100, port)
    start(num_threads=2)
    wait_for(lambda: statuses(db, ids) == {"sent"})
    assert resolver.asked == {"one.test": 1}


def test_libcurl_is_told_to_forget_the_names_that_were_not_used_for_longest(
    port, resolver, monkeypatch
):
    told = []
    give = HttpHandle.set_addresses
    monkeypatch.setattr("workers.addresses.RESOLUTIONS_MAX", 2)
    monkeypatch.setattr(
        HttpHandle, "set_addresses", lambda *args: told.append((args[1], args[3])) or give(*args)
    )
    transfers = Transfers(Settings(webhook_allow=LOOPBACK))
    for name in ("a.test", "b.test", "a.test", "c.test", "b.test", "c.test"):
        made = Post(url=f"http://{name}:{port}/status/200", headers=["Expect:"], body=b"{}")
        assert transfers.start(made, name, name_wait_s=5.0) is None
        ended = []
        wait_for(lambda: ended.extend(transfers.wait(0.1)) or ended)  # noqa: B023 - called here
        assert ended[0][1].status == 200
    transfers.close()
    a, b, c = ((f"{name}.test", port) for name in "abc")
    assert told == [(a, None), (b, None), (c, b), (b, a)]


def test_who_waits_for_a_name_is_sent_when_it_is_there(db, start, port, resolver):
    ids = webhooks(db, ["late.dead.test"] * 20, port)
    start(num_threads=1)
    wait_for(lambda: resolver.asked)
    resolver.release.set()
    wait_for(lambda: statuses(db, ids) == {"sent"})
    assert len(attempts(db, ids)) == 20


def test_a_name_that_is_not_there_costs_no_attempt(db, start, port, resolver):
    [id] = webhooks(db, ["a.gone.test"], port)
    start(max_retries=0)
    wait_for(lambda: attempts(db, [id]))
    first = attempts(db, [id])[0]
    assert (first.outcome, first.code, first.counted) == ("unreachable", "dns", False)
    assert statuses(db, [id]) == {"queued"}


@pytest.mark.usefixtures("resolver")
@pytest.mark.parametrize("name", ["a.gone.test", "a.dead.test"])
def test_patience_ends_what_waits_for_a_name(db, start, port, monkeypatch, name):
    monkeypatch.setattr("workers.names.ANSWER_MAX_S", 0.2)
    monkeypatch.setattr("workers.sender.ANSWER_MAX_S", 0.3)
    [id] = webhooks(db, [name], port)
    start(max_retries=0, breaker_patience_mins=0)
    wait_for(lambda: statuses(db, [id]) == {"failed"})
    assert rows(db, [id])[0].last_error_code == "dns"


def test_a_stop_does_not_wait_for_names(db, start, port, resolver):
    ids = webhooks(db, [f"n{n}.dead.test" for n in range(20)], port)
    worker = start(num_threads=1, breaker_patience_mins=0)
    wait_for(lambda: len(resolver.asked) == 20)
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < worker._settings.shutdown_grace_s
    assert statuses(db, ids) == {"queued"}
    assert not attempts(db, ids)


@pytest.fixture
def transfers():
    transfers = Transfers(Settings(webhook_allow=LOOPBACK, send_deadline_s=5.0))
    yield transfers
    transfers.close()


def sent(transfers, url):
    return ended(transfers, Post(url=url, headers=["Expect:"], body=b"{}"))


def ended(transfers, made):
    """Make one transfer, and give the answer."""
    if answer := transfers.start(made, None, 5.0):
        return answer
    return wait_for(lambda: [answer for _, answer in transfers.wait(0.1)])[0]


@pytest.mark.parametrize(
    "host",
    [
        "a.test", "A.TEST", "dot.test.", "user:p%40ss@u.test", "x_y.test", "a.b.c.d.e.f.test",
        "xn--bcher-kva.test", "00.test", "-x.test", "127.0.0.1.test",
    ],
)  # fmt: skip
def test_libcurl_looks_nothing_up_however_a_name_is_spelled(transfers, port, resolver, host):
    assert sent(transfers, f"http://{host}:{port}/status/200").status == 200
    assert sum(resolver.asked.values()) == 1


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f.1", "017700000001", "2130706433", "127.0.0.1.", "localhost",
     "LOCALHOST.", "a.localhost", "[::ffff:127.0.0.1]"],
)  # fmt: skip
def test_what_is_no_name_is_not_looked_up(transfers, port, resolver, host):
    assert sent(transfers, f"http://{host}:{port}/status/200").status == 200
    assert not transfers._names._names._known


@pytest.mark.parametrize("host", [".lead.test", "a..test", "a" * 64 + ".test", "256.1.1.1"])
def test_a_name_that_nobody_can_have_is_not_found(transfers, port, host):
    answer = sent(transfers, f"http://{host}:{port}/status/200")
    assert answer.status == 0
    assert answer.error == 6


def test_each_address_of_a_name_is_tried(transfers, port, resolver):
    resolver.answers["many.test"] = ["::1", "127.0.0.99", "127.0.0.1"]
    assert sent(transfers, f"http://many.test:{port}/status/200").status == 200


def test_of_thousands_of_addresses_only_the_first_few_are_tried():
    many = [f"10.0.{n >> 8}.{n & 255}" for n in range(4000)]
    many[9:9] = ["::1"] + [f"2001:db8::{n}" for n in range(9)]
    assert first_few(tuple(many)) == (*many[:4], "::1", "2001:db8::0", "2001:db8::1", "2001:db8::2")


def test_an_older_answer_holds_for_a_minute_and_is_renewed_beside(transfers, port, resolver):
    url = f"http://old.test:{port}/status/200"
    assert sent(transfers, url).status == 200
    resolver.hangs.add("old.test")
    now = time.monotonic() + 40
    names = transfers._names._names
    assert names.ask("old.test", print, now).addresses == ("127.0.0.1",)
    wait_for(lambda: resolver.asked["old.test"] == 2)
    assert names.ask("old.test", print, now + 30).error
    resolver.release.set()


def test_a_name_that_moved_is_followed(transfers, port, resolver, monkeypatch):
    url = f"http://moves.test:{port}/status/200"
    resolver.answers["moves.test"] = ["127.0.0.2"]
    assert sent(transfers, url).error == 7
    resolver.answers["moves.test"] = ["127.0.0.1"]
    monkeypatch.setattr("time.monotonic", lambda real=time.monotonic: real() + 100)
    assert sent(transfers, url).status == 200


def test_what_waited_for_its_name_is_asked_whether_it_may_begin(
    transfers, sink, port, resolver, monkeypatch
):
    left = []
    monkeypatch.setattr(transfers, "_may_begin", lambda _tag, left_s, _begun: left.append(left_s))
    made = Post(url=f"http://late.dead.test:{port}/status/200", headers=["Expect:"], body=b"{}")
    assert transfers.start(made, None, 60.0) is None
    resolver.release.set()
    [(_, answer)] = wait_for(lambda: list(transfers.wait(0.1)))
    assert answer.is_late
    assert left == [5.0], "its whole deadline begins only now"
    assert not sink.requests
    assert not ended(transfers, Post(url="http://a.gone.test/", headers=[], body=b"")).is_late


def test_the_mail_server_is_a_name_like_any_other(resolver):
    transfers = Transfers(
        Settings(webhook_allow=LOOPBACK, send_deadline_s=5.0, smtp_url="smtp://mail.dead.test:1")
    )
    mail = Mail(mail_from="a@a.example", mail_to="b@b.example", body=b"S: t\r\n\r\nt\r\n")
    assert transfers.start(mail, None, 0.01) is None
    [(_, answer)] = wait_for(lambda: list(transfers.wait(0.1)))
    assert answer.unresolved_s is not None
    resolver.release.set()
    assert ended(transfers, mail).error == 7
    assert resolver.asked == {"mail.dead.test": 1}
    transfers.close()


def test_a_silent_name_of_redis_delays_no_delivery(db, start, sink, port, resolver):
    worker = start(redis_url="redis://r.dead.test:6379/0")
    wait_for(lambda: resolver.asked["r.dead.test"])
    for _ in range(5):  # one after another: each would wait for the name
        ids = webhooks(db, ["127.0.0.1"], port)
        wait_for(lambda ids=ids: statuses(db, ids) == {"sent"})
    assert not resolver.release.is_set()
    assert resolver.asked["r.dead.test"] == 1
    worker.stop()


def test_redis_is_used_once_its_name_is_known(resolver, tmp_path):
    with Valkey(tmp_path) as valkey:
        ready_set = ReadySet(valkey.url.replace("127.0.0.1", "r.dead.test"))
        ready_set.use("test")
        for _ in range(3):
            with pytest.raises(RedisAway, match="takes long"):
                ready_set.pop(10, 0.001)
        resolver.release.set()
        wait_for(lambda: pops(ready_set))
        valkey.stop()
        with pytest.raises(RedisAway):
            ready_set.pop(10, 0.001)
        valkey.start()
        wait_for(lambda: pops(ready_set))
        assert ready_set._pool.get_connection_count()[0][0] <= 1
        ready_set.close()


def pops(ready_set):
    """Say whether Redis answers."""
    try:
        return ready_set.pop(10, 0.001) == []
    except RedisAway:
        return False


def test_a_silent_name_of_the_database_delays_no_stop(dsn, start, resolver):
    given = conninfo_to_dict(dsn)
    worker = start(database_url=make_conninfo(dsn, host="db.dead.test", port=given.get("port")))
    wait_for(lambda: resolver.asked["db.dead.test"])
    worker.stop()
    assert not resolver.release.is_set()
