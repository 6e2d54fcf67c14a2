"""No command, log line or answer shows a password, wherever it stands and whatever is wrong."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from prometheus_client import CollectorRegistry

from service.cli import client, main
from service.config.settings import Settings
from service.doctor.mail import mail_finding
from service.errors import NotifyError
from service.logs import logs
from service.logs.loki import Loki
from service.metrics import LogMetrics, WorkerMetrics
from tests import ledger
from tests.waiting import wait_for
from workers.runner import Worker

SECRET = "hunter2"
COMMANDS = [
    ["up"], ["services"], ["migrate"], ["api"], ["dispatcher"], ["worker"], ["doctor"], ["top"],
    ["inbox"], ["send", "log", "x", "1"], ["status", "x"], ["cancel", "x"], ["redrive", "x"],
    ["probe", "x"],
]  # fmt: skip
BROKEN = {
    "DATABASE_URL": ["postgresql://u:hunter2%zz@h/d", "postgresql://u:hunter2%ff@h/d",
        "host=h password=hunter2", "hunter2",
        "postgresql://h/d?hunter2", "postgresql://u:hunter2@h:x/d", "postgres:u:hunter2@h"],
    "DATABASE_DIRECT_URL": ["postgresql://u:hunter2%@h/d", "dbname=d password='hunter2"],
    "REDIS_URL": ["redis://:hunter2%zz@h", "http://:hunter2@h", "redis://:hunter2/x@h"],
    "SMTP_URL": ["smtp://u:hunter2%zz@h", "smpt://u:hunter2@h", "smtp://u:hunter2@h?tls=hunter2"],
    "LOKI_URL": ["httpp://u:hunter2@h", "http://u:hunter2@h:x", "http://u:hunter2 x@h"],
    "WEBHOOK_SECRET": ["whsec_hunter2!", "whsec_YQ== whsec_hunter2!"],
    "PORT": ["redis://:hunter2@h"],
}  # fmt: skip


@pytest.fixture
def run(monkeypatch, tmp_path, capfd, logs_restored):
    """Run a command with these settings and no others; returns what it wrote."""

    def run(argv, **environ):
        monkeypatch.chdir(tmp_path)
        with monkeypatch.context() as patch:
            for name in BROKEN:
                patch.delenv(name, raising=False)
            for name, value in {"NOTIFY_STATE": str(tmp_path / "state"), **environ}.items():
                patch.setenv(name, value)
            code = main(argv)
        out, err = capfd.readouterr()
        return code, out + err

    return run


@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: argv[0])
def test_a_broken_setting_is_refused_by_its_name_alone(run, argv):
    for name, values in BROKEN.items():
        for value in values:
            code, said = run(argv, MAIL_FROM="a@b.example", **{name: value})
            assert code == 1
            assert said.startswith(f"notify: {name}=(hidden): must be "), said
            assert said.count("\n") == 1
            assert SECRET not in said


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("command", ["migrate", "doctor"])
def test_a_server_that_is_away_is_told_without_its_password(run, command):
    url = f"postgresql://u:{SECRET}@127.0.0.1:{free_port()}/d?application_name=x"
    code, said = run([command], DATABASE_URL=url)
    assert code == 1
    assert "127.0.0.1" in said or "database" in said
    assert SECRET not in said


def test_the_doctor_shows_no_password_of_servers_that_are_away(run, dsn):
    nobody = f"127.0.0.1:{free_port()}"
    code, said = run(
        ["doctor"],
        DATABASE_URL=dsn,
        REDIS_URL=f"redis://u:{SECRET}@{nobody}/0",
        SMTP_URL=f"smtp://u:{SECRET}@{nobody}",
        MAIL_FROM="a@b.example",
    )
    assert code == 1
    assert "see REDIS_URL" in said and "see SMTP_URL" in said
    assert SECRET not in said


def test_a_url_of_the_clients_is_shown_without_what_may_be_secret(run):
    for url in (f"http://u:{SECRET}@127.0.0.1:1", f"http://127.0.0.1:{free_port()}/{SECRET}"):
        code, said = run(["status", "x", "--url", url])
        assert code == 1
        assert SECRET not in said


class Elsewhere(BaseHTTPRequestHandler):
    """Answers with `status` and the path that was asked for; a 307 sends on to `there`."""

    came: list[str]
    status = 200
    there = ""

    def do_POST(self):
        """Answer."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.came.append(self.path)
        body = json.dumps({"path": self.path}).encode()
        self.send_response(self.status)
        self.send_header("Location", self.there)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 (http.server's name)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def serve():
    """Serve on loopback; gives the URL and who came."""
    servers = []

    def serve(status=200, there=""):
        came = []
        kind = type("Here", (Elsewhere,), {"came": came, "status": status, "there": there})
        server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", came

    yield serve
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_answer_of_loki_that_quotes_our_path_is_logged_without_it(serve, capsys, logs_restored):
    url, came = serve(404)
    metrics = LogMetrics(CollectorRegistry())
    loki = Loki(f"{url}/{SECRET}", metrics, linger_s=0.01, backoff_min_s=0.02)
    logs.set_up("worker", style="json", push=loki)
    logs.transitions("sent", [{"notification_id": "x"}])
    wait_for(lambda: loki.outage.lasts)
    loki.stop()
    said = capsys.readouterr().err
    assert came[0] == f"/{SECRET}/loki/api/v1/push"
    assert "404" in said
    assert SECRET not in said


def test_the_client_obeys_no_proxy_of_the_environment(serve, monkeypatch):
    proxy, through = serve()
    api, came = serve()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    client.send(api, {"x": 1})
    client.status(api, "x")
    assert came == ["/notify", "/notifications/x"]
    assert not through


def test_the_client_follows_no_redirect(serve):
    other, came = serve()
    api, _ = serve(307, f"{other}/stolen")
    for ask in (lambda: client.send(api, {"x": 1}), lambda: client.status(api, "x")):
        with pytest.raises(NotifyError, match="HTTP 307"):
            ask()
    assert not came


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "data:,x", "h:3000", "http://", "http://u:p@h"]
)
def test_the_client_speaks_http_alone(url):
    with pytest.raises(NotifyError, match="--url"):
        client.status(url, "x")


class Plain:
    """A mail server that takes any login, and offers no TLS."""

    port: int

    def __init__(self):
        self.logins = []

    def login(self, *args):
        """Take it, and remember."""
        self.logins.append(args)
        return AuthResult(success=True)


@pytest.fixture
def plain() -> Iterator[Plain]:
    """Listen on loopback."""
    plain = Plain()
    plain.port = free_port()
    controller = Controller(
        plain,
        hostname="127.0.0.1",
        port=plain.port,
        authenticator=plain.login,
        auth_require_tls=False,
    )
    controller.start()
    yield plain
    controller.stop()


@pytest.fixture
def far(monkeypatch):
    """Let loopback count as another machine: no other is to be had in a test."""
    monkeypatch.setattr("service.config.mail_server.is_loopback", lambda host: False)


def smtp(plain, query=""):
    return f"smtp://u:{SECRET}@127.0.0.1:{plain.port}{query}"


@pytest.mark.usefixtures("far")
def test_the_doctor_logs_in_to_no_server_in_clear(plain):
    finding = mail_finding(Settings(smtp_url=smtp(plain), mail_from="a@b.example"))
    assert "no password goes out in clear" in finding.found
    assert not plain.logins
    finding = mail_finding(Settings(smtp_url=smtp(plain, "?tls=optional"), mail_from="a@b.example"))
    assert finding.found == "127.0.0.1 lets us in"
    assert plain.logins


def test_this_machine_may_be_logged_in_to_in_clear(plain):
    finding = mail_finding(Settings(smtp_url=smtp(plain), mail_from="a@b.example"))
    assert finding.found == "127.0.0.1 lets us in"
    assert plain.logins


@pytest.fixture
def start(dsn):
    """Start a worker that tries once."""
    started = []

    def start(url):
        settings = Settings(database_url=dsn, smtp_url=url, mail_from="a@b.example", max_retries=0)
        worker = Worker(settings, WorkerMetrics(CollectorRegistry()))
        worker.start()
        started.append(worker)

    yield start
    for worker in started:
        worker.stop()


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize(("query", "is_sent"), [("", False), ("?tls=optional", True)])
def test_no_mail_goes_to_a_server_that_would_have_the_password_in_clear(
    db, start, plain, query, is_sent
):
    start(smtp(plain, query))
    payload = json.dumps({"subject": "s", "text": "t"})
    [id] = ledger.enqueue(db, channel="email", recipient="a@b.example", payload=payload)
    wait_for(lambda: ledger.row(db, id).settled_at if is_sent else ledger.attempts_of(db, id))
    assert bool(plain.logins) is is_sent
    assert (ledger.status(db, id) == "sent") is is_sent
    assert not any(SECRET in str(attempt) for attempt in ledger.attempts_of(db, id))
