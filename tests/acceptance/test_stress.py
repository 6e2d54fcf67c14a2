"""The stress test itself: it counts what arrives, and its exit code can say no."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.scratch import scratch
from tests.waiting import LIMIT_S, wait_for

ROOT = Path(__file__).resolve().parents[2]
RUN_S = 4

pytestmark = [pytest.mark.slow, pytest.mark.needs("locust")]


@pytest.fixture(scope="module")
def up() -> Iterator[tuple[str, str]]:
    """Run `notify up` on a state of its own; gives the API's URL and the DATABASE_URL."""
    port = free_port()
    with scratch() as state:
        log = Path(state) / "up.log"
        command = [
            str(Path(sys.executable).with_name("notify")),
            "up",
            "--no-inbox",
            "--state",
            f"{state}/state",
            "--port",
            str(port),
        ]
        with log.open("w") as out:
            process = subprocess.Popen(command, cwd=state, stdout=out, stderr=out)
        try:
            wait_for(lambda: is_up(f"http://127.0.0.1:{port}/readyz") or process.poll())
            wait_for(lambda: "psql '" in log.read_text() or process.poll())
            assert process.poll() is None, log.read_text()
            yield f"http://127.0.0.1:{port}", log.read_text().split("psql '")[1].split("'")[0]
        finally:
            process.terminate()
            process.wait(LIMIT_S)


def test_everything_accepted_by_http_and_sql_arrives(up: tuple[str, str], tmp_path: Path) -> None:
    api, database_url = up
    done = stress(api, tmp_path, DATABASE_URL=database_url, MAX_P99_MS="600000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "producers: HTTP and SQL" in done.stdout
    words = next(line for line in done.stdout.splitlines() if "accepted" in line).split(",")
    accepted, arrived = int(words[0].split()[1]), int(words[1].split()[1])
    assert arrived == accepted > 0
    assert "/notify" in (tmp_path / "stress.html").read_text()


def test_a_p99_above_its_limit_fails_the_run(up: tuple[str, str], tmp_path: Path) -> None:
    done = stress(up[0], tmp_path, MAX_P99_MS="0.001")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "producers: only HTTP" in done.stdout
    assert "FAILED: p99 of enqueue to arrival" in done.stdout


def test_refused_requests_fail_the_run(tmp_path: Path) -> None:
    done = stress(f"http://127.0.0.1:{free_port()}", tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED: 100.00% of the requests failed" in done.stdout


def stress(host: str, out: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the stress test, shorter than it is."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "locust",
            "--config",
            "load/stress.conf",
            "--host",
            host,
            "--run-time",
            f"{RUN_S}s",
            "--html",
            out / "stress.html",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_S,
        check=False,
        env={**os.environ, "DATABASE_URL": "", **env},
    )


def is_up(url: str) -> bool:
    try:
        urlopen(url, timeout=LIMIT_S).close()
    except URLError:
        return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
