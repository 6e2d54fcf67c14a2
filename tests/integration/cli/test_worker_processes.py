"""A worker process that cannot start, as its parent hears of it."""

import asyncio
import os

import pytest
from prometheus_client import CollectorRegistry

from service.cli import worker_processes
from service.cli.worker_process import WorkerProcess
from service.cli.worker_processes import WorkerProcesses, processes_wanted
from service.config.settings import Settings
from service.errors import UnexpectedEnd
from service.metrics import ProcessMetrics, WorkerProcessesMetrics
from service.process import stdio

WRONG = {"NUM_THREADS": "many"}
SAID = "NUM_THREADS=many: must be a whole number from 1 to 64"


@pytest.fixture
def streams(monkeypatch):
    """Give a lock of the streams."""
    monkeypatch.setattr(stdio, "shared_by", None)
    fd = stdio.share_streams()
    yield fd
    os.close(fd)


@pytest.fixture
def environ():
    """Give an environment in which no child can start."""
    return os.environ | WRONG


def test_a_wrong_setting_is_told_to_the_parent_and_to_nobody_else(streams, environ, capfd):
    async def run():
        one = WorkerProcess(environ, streams)
        return await one.gone, one.refusal

    how, refusal = asyncio.run(run())
    assert how.endswith("ended with 1")
    assert refusal == SAID
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("written", [b"PORT=none\n", "# für\n".encode("latin-1")])
def test_a_child_reads_no_env_file(streams, environ, monkeypatch, tmp_path, written):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(written)

    async def run():
        one = WorkerProcess(environ, streams)
        await one.gone
        return one.refusal

    assert asyncio.run(run()) == SAID


def test_what_no_child_can_start_with_ends_the_parent_once(streams, environ, monkeypatch):
    registry = CollectorRegistry()
    monkeypatch.setattr(worker_processes, "share_streams", lambda: streams)
    monkeypatch.setattr(worker_processes, "environment", lambda: environ)
    monkeypatch.setattr(
        worker_processes, "WorkerProcessesMetrics", lambda: WorkerProcessesMetrics(registry)
    )

    async def run():
        await WorkerProcesses(Settings(), 2, ProcessMetrics(registry)).run(asyncio.Event())

    with pytest.raises(UnexpectedEnd, match=SAID):
        asyncio.run(run())
    assert registry.get_sample_value("worker_processes") == 0
    assert registry.get_sample_value("worker_processes_wanted") == 2


@pytest.mark.parametrize(("cores", "wanted"), [(1, 1), (2, 2), (3, 3), (64, 4)])
def test_unless_it_is_said_there_is_one_for_each_core_up_to_four(monkeypatch, cores, wanted):
    monkeypatch.setattr(worker_processes, "usable_cores", lambda: cores)
    assert processes_wanted(Settings()) == wanted
    assert processes_wanted(Settings(worker_processes=7)) == 7


def test_children_have_the_settings_of_the_start(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SENDS_PER_THREAD", "8")
    (tmp_path / ".env").write_text("NUM_THREADS=3\nSENDS_PER_THREAD=9\nPYTHONPATH=/elsewhere\n")
    given = worker_processes.environment()
    assert (given["NUM_THREADS"], given["SENDS_PER_THREAD"]) == ("3", "8")
    assert given.get("PYTHONPATH") == os.environ.get("PYTHONPATH")


def test_children_have_what_the_env_file_said_of_spans(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "")
    lines = "OTEL_TRACES_EXPORTER=none\nOTEL_SERVICE_NAME=other\nOTEL_SDK_DISABLED=true\n"
    (tmp_path / ".env").write_text(lines)
    given = worker_processes.environment()
    assert given["OTEL_TRACES_EXPORTER"] == "none"
    assert (given["OTEL_SERVICE_NAME"], given["OTEL_SDK_DISABLED"]) == ("shop", "")
    assert "OTEL_TRACES_EXPORTER" not in os.environ
