"""`notify up` and `notify services`, as a newcomer and their machine see them."""

import os
import re
import signal
import subprocess
import threading
import urllib.error
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest

from tests.acceptance.conftest import NOTIFY, Command, free_port, get, is_free, post, processes_of
from tests.waiting import LIMIT_S, wait_for

Start = Callable[..., Command]


class Up:
    """A running `notify up` on ports of its own."""

    def __init__(self, start: Start, state: Path, *options: str, **env: str) -> None:
        self.port = free_port()
        http, smtp = free_port(), free_port()
        self.inbox = f"http://127.0.0.1:{http}"
        self.command = start(
            "up",
            "--state",
            str(state),
            "--port",
            str(self.port),
            "--inbox-http-port",
            str(http),
            "--inbox-smtp-port",
            str(smtp),
            *options,
            **env,
        )
        self.command.says("notify is up.")
        self.api = f"http://127.0.0.1:{self.port}"

    def sends(self, **body: object) -> str:
        """Enqueue; gives the id."""
        answer = post(f"{self.api}/notify", body)
        assert answer["status"] == "queued"
        return str(answer["id"])

    def becomes(self, id: str, status: str) -> dict[str, object]:
        """Wait for a status; gives the whole notification."""
        url = f"{self.api}/notifications/{id}"
        wait_for(lambda: get(url)["status"] == status)
        found: dict[str, object] = get(url)
        return found


@pytest.fixture
def sink() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Run an HTTP server that is not ours; gives its URL and the headers of what arrived."""
    arrived: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            arrived.append(
                {**{k.lower(): v for k, v in self.headers.items()}, "body": body.decode()}
            )
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", arrived
        server.shutdown()
        thread.join()


def test_a_newcomer_sees_a_webhook_and_a_mail_arrive(
    start: Start, state: Path, sink: tuple[str, list[dict[str, str]]]
) -> None:
    url, arrived = sink
    up = Up(start, state)

    hook = up.sends(channel="webhook", recipient=url, payload={"hello": "world"}, reference="r1")
    mail = up.sends(
        channel="email",
        recipient="ada@example.org",
        payload={"subject": "Hello", "text": "It works."},
    )
    caught = up.sends(channel="webhook", recipient=f"{up.inbox}/x", payload=[1])
    for id in (hook, mail, caught):
        assert up.becomes(id, "sent")["attempt"] == 1

    assert [a["webhook-id"] for a in arrived] == [hook]
    assert arrived[0]["body"] == '{"hello": "world"}'
    assert "webhooks may go to this machine" in up.command.output
    assert mail in up.command.says("Hello")
    assert re.search(rf"{caught}.*signed ok", up.command.output)
    assert get(f"{up.api}/notifications?reference=r1")["items"][0]["id"] == hook
    assert up.command.stop() == 0


def test_libpq_variables_of_the_user_lead_no_command_away_from_our_servers(
    start: Start, state: Path
) -> None:
    theirs = {
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "system",
        "PGHOSTADDR": "192.0.2.1",
        "PGREQUIREAUTH": "none",
        "PGTARGETSESSIONATTRS": "standby",
        "PGCHANNELBINDING": "require",
        "PGSERVICE": "shop",
    }
    up = Up(start, state, **theirs)
    up.becomes(up.sends(channel="log", recipient="here", payload={}), "sent")
    doctor = start("doctor", "--state", str(state), **theirs)
    assert doctor.process.wait(LIMIT_S) == 0, doctor.output
    assert up.command.stop() == 0


def test_a_parent_that_ignores_the_end_of_its_children_does_no_harm(
    start: Start, state: Path
) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        up = Up(start, state)
    finally:
        signal.signal(signal.SIGCHLD, before)
    kill_child(up.command.process.pid, b"/postgres")
    assert up.command.process.wait(LIMIT_S) == 1
    assert "notify: PostgreSQL was killed by SIGKILL" in up.command.output


@pytest.mark.parametrize("name", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
def test_the_metrics_directory_of_another_program_stays_empty(
    start: Start, state: Path, tmp_path: Path, name: str
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    up = Up(start, state, **{name: str(theirs)})
    up.becomes(up.sends(channel="log", recipient="here", payload={}), "sent")
    assert up.command.stop() == 0
    assert list(theirs.iterdir()) == []


def test_the_printed_curl_line_works_as_pasted(start: Start, state: Path) -> None:
    up = Up(start, state)
    line = re.search(r"^  (curl .*)$", up.command.output, re.MULTILINE)
    assert line is not None
    answer = subprocess.run(
        line[1], shell=True, capture_output=True, text=True, check=True, timeout=LIMIT_S
    ).stdout
    id = re.search(r'"id":"([0-9a-f-]{36})"', answer)
    assert id is not None
    up.becomes(id[1], "sent")
    assert up.command.stop(signal.SIGINT) == 0


def test_an_insert_by_psql_is_delivered_too(
    start: Start, state: Path, sink: tuple[str, list[dict[str, str]]]
) -> None:
    url, arrived = sink
    up = Up(start, state)
    dsn = re.search(r"psql '(.*)'", up.command.output)
    assert dsn is not None
    with psycopg.connect(dsn[1]) as conn:
        conn.execute(
            "insert into notifications (channel, recipient, payload) values ('webhook', %s, '{}')",
            [url],
        )
    wait_for(lambda: arrived)
    assert up.command.stop() == 0


def test_what_was_accepted_survives_kill_9_and_a_restart(start: Start, state: Path) -> None:
    up = Up(start, state)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    id = up.sends(channel="log", recipient="later", payload={}, send_at=tomorrow)
    up.command.stop(signal.SIGKILL)
    wait_for(lambda: not processes_of(state))

    again = Up(start, state)
    assert get(f"{again.api}/notifications/{id}")["status"] == "queued"
    assert again.command.stop() == 0


def test_up_goes_on_without_its_valkey_and_ends_with_its_postgresql(
    start: Start, state: Path
) -> None:
    up = Up(start, state)
    kill_child(up.command.process.pid, b"valkey-server")
    up.command.says("slower_without_redis")
    up.becomes(up.sends(channel="log", recipient="anyway", payload={}), "sent")

    kill_child(up.command.process.pid, b"/postgres")
    assert up.command.process.wait(LIMIT_S) == 1
    assert "notify: PostgreSQL was killed by SIGKILL" in up.command.output


def kill_child(parent: int, program: bytes) -> None:
    """Kill the child of a process that runs a program."""
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        if program in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0", 1)[0]:
            os.kill(int(child), signal.SIGKILL)
            return
    raise AssertionError(f"{parent} has no child that runs {program!r}")


def test_a_second_up_on_the_same_state_is_refused_in_one_line(start: Start, state: Path) -> None:
    up = Up(start, state)
    second = start("up", "--state", str(state), "--port", str(free_port()))
    assert second.process.wait(LIMIT_S) == 1
    assert second.output.count("\n") == 1
    assert f"{state} is in use by process {up.command.process.pid}" in second.output
    assert up.command.stop() == 0


def test_the_doctor_looks_at_the_up_of_this_state(start: Start, state: Path) -> None:
    up = Up(start, state)
    doctor = start("doctor", "--state", str(state))
    assert doctor.process.wait(LIMIT_S) == 0, doctor.output
    assert "signed with 1 secret" in doctor.output
    assert "127.0.0.1 lets us in" in doctor.output  # the inbox takes the mail
    assert up.command.stop() == 0
    after = start("doctor", "--state", str(state))
    assert after.process.wait(LIMIT_S) == 1
    assert "does not run: start it" in after.output


def test_the_inbox_prints_bodies_if_asked_to(start: Start, state: Path) -> None:
    up = Up(start, state, "-v")
    up.sends(channel="webhook", recipient=f"{up.inbox}/hi", payload={"said": "in the webhook"})
    mail = {"subject": "s", "text": "said in the mail"}
    up.sends(channel="email", recipient="a@b.example", payload=mail)
    up.command.says('{"said": "in the webhook"}')
    up.command.says("said in the mail")
    assert up.command.stop() == 0


def test_commands_find_the_up_of_their_state_whatever_its_port(start: Start, state: Path) -> None:
    up = Up(start, state)
    sent = start("send", "log", "x", "{}", "--wait", NOTIFY_STATE=str(state), PORT="")
    assert sent.process.wait(LIMIT_S) == 0, sent.output
    up.command.stop(signal.SIGKILL)
    if not is_free(3000):  # the one of nobody's state directory would answer
        return
    gone = start("list", NOTIFY_STATE=str(state), PORT="")
    assert gone.process.wait(LIMIT_S) == 1
    assert "nobody listens there. Is `notify up` running?" in gone.output


def test_a_taken_port_is_refused_in_one_line(start: Start, state: Path) -> None:
    up = Up(start, state)
    other = state / "other"
    second = start("up", "--state", str(other), "--port", str(up.port), "--no-inbox")
    assert second.process.wait(LIMIT_S) == 1
    assert f"notify: PORT={up.port}: cannot listen" in second.output
    assert up.command.stop() == 0


@pytest.mark.slow  # seconds pass
def test_services_print_a_dotenv_that_the_roles_run_on(
    start: Start, state: Path, tmp_path: Path
) -> None:
    services = start("services", "--state", str(state))
    services.says("REDIS_URL=")
    lines = re.findall(r"^(?:DATABASE|REDIS)_URL=.*$", services.output, re.MULTILINE)
    (tmp_path / ".env").write_text("\n".join(lines) + f"\nPORT={free_port()}\n")

    assert start("migrate").process.wait(LIMIT_S) == 0
    roles = [start("api"), start("dispatcher"), start("worker")]
    api = re.search(r'"url":"(http://[^"]+)"', roles[0].says('"event":"api"'))
    assert api is not None
    sent = subprocess.run(
        [NOTIFY, "send", "log", "somebody", '{"n": 1}', "--priority", "0", "--url", api[1]],
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT_S,
    )
    id = re.search(r'"id": "([^"]+)"', sent.stdout)
    assert id is not None

    def is_sent() -> bool:
        shown = subprocess.run(
            [NOTIFY, "status", id[1], "--url", api[1]],
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_S,
        )
        return '"status": "sent"' in shown.stdout

    wait_for(is_sent)
    roles[1].says('"event":"leading"')  # until it runs, a signal ends it as any program
    assert [role.stop() for role in roles] == [0, 0, 0]
    assert services.stop() == 0


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("LEASE_S", "5", "LEASE_S=5: must be more than SEND_DEADLINE_S=10"),
        ("NUM_THREADS", "many", "NUM_THREADS=many: must be a whole number from 1 to 64"),
        (
            "WORKER_PROCESSES",
            "65",
            "WORKER_PROCESSES=65: must be auto or a whole number from 1 to 64",
        ),
        ("REDIS_URL", "http://x", "REDIS_URL=(hidden): must be a URL that starts with redis://"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(
    start: Start, variable: str, value: str, says: str
) -> None:
    command = start("worker", **{variable: value})
    assert command.process.wait(LIMIT_S) == 1
    assert command.output.startswith(f"notify: {says}")
    assert command.output.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "services",
        "migrate",
        "api",
        "dispatcher",
        "worker",
        "inbox",
        "send",
        "status",
        "list",
        "cancel",
        "send-again",
        "redrive",
        "probe",
        "doctor",
        "top",
    ],
)
def test_every_command_explains_itself(command: str) -> None:
    shown = subprocess.run(
        [NOTIFY, command, "--help"], capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    assert shown.stdout.startswith(f"usage: notify {command}")


def test_up_says_whose_database_it_migrates_and_who_named_it(
    start: Start, state: Path, tmp_path: Path, empty_dsn: str
) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={empty_dsn}\n")
    port = str(free_port())
    up = start("up", "--state", str(state), "--port", port, "--no-inbox")
    said = up.says("notify is up.")
    first = said.splitlines()[0]
    assert first.startswith("notify: using and migrating database notify_empty_")
    assert f"the DATABASE_URL of {tmp_path / '.env'};" in first
    password = empty_dsn.partition("@")[0].rpartition(":")[2]
    assert password not in said
    refused = {"channel": "webhook", "recipient": "http://127.0.0.1/", "payload": 1}
    with pytest.raises(urllib.error.HTTPError, match="422"):
        post(f"http://127.0.0.1:{port}/notify", refused)
    assert "Guard" not in said
    assert up.stop() == 0


def test_a_direct_url_without_its_database_url_leads_nobody_to_that_database(
    start: Start, state: Path, tmp_path: Path, empty_dsn: str
) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL=\nDATABASE_DIRECT_URL={empty_dsn}\n")
    up = Up(start, state)
    first = up.command.output.splitlines()[0]
    assert first.startswith("notify: DATABASE_DIRECT_URL is not used")
    up.becomes(up.sends(channel="log", recipient="here", payload={}), "sent")
    doctor = start("doctor", "--state", str(state))
    assert doctor.process.wait(LIMIT_S) == 0, doctor.output
    with psycopg.connect(empty_dsn) as other:
        assert other.execute("select to_regnamespace('notify')").fetchone() == (None,)
        seen = "select count(*) from pg_stat_activity where application_name like 'notify-%'"
        assert other.execute(f"{seen} and datname = current_database()").fetchone() == (0,)
    assert up.command.stop() == 0
