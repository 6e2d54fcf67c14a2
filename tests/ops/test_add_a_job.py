"""A job of the leader is in every place that "Add a job" of ops/ARCHITECTURE.md names.

tests/ops/test_runbook.py and tests/ops/test_prometheus.py hold alerts, their cases and their
paragraphs together.
"""

import re
from pathlib import Path
from typing import Any, cast

import yaml
from prometheus_client import CollectorRegistry

from service.config.settings import Settings
from service.dispatch.jobs import Jobs
from service.metrics import JOBS, DispatcherMetrics
from service.metrics.process import TASKS

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "ops" / "prometheus" / "rules" / "alerts.yml"
# Jobs of which no alert asks when they last succeeded, each with its reason.
NOT_ALERTED = {
    "clock": "ClockSkewed asks the API and the workers, too, who read it themselves",
    "turn_keys": "what comes late costs room alone: whether a key is too old, its age says",
}


def table() -> Jobs:
    """Give the table of jobs; none of them runs here."""
    nothing = cast("Any", None)
    offering = cast("Any", type("Offering", (), {"reconcile": None}))
    return Jobs(Settings(), nothing, DispatcherMetrics(CollectorRegistry()), offering)


def alerted() -> set[str]:
    """Name the jobs of which an alert asks when they last succeeded."""
    groups = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]
    asked = str([rule["expr"] for group in groups for rule in group["rules"]])
    patterns = re.findall(r'job_last_success_timestamp_seconds\{name=~?"([^"]+)"', asked)
    return {job for pattern in patterns for job in pattern.split("|")}


def test_every_job_of_the_table_is_shown():
    shown = {job.name for job in table()._jobs if job.is_shown}
    assert not shown - {*JOBS}, f"service/metrics/dispatcher.py: JOBS lacks {shown - {*JOBS}}"
    assert not {*JOBS} - shown, f"service/dispatch/jobs.py has no job { ({*JOBS} - shown) }"


def test_every_job_of_the_table_is_a_task_whose_restarts_are_counted():
    missing = {job.name for job in table()._jobs} - {*TASKS}
    assert not missing, (
        f"{missing}: name it in JOBS of service/metrics/dispatcher.py, or, if is_shown=False, "
        "in TASKS of service/metrics/process.py; never in both"
    )


def test_every_job_that_stops_is_alerted_or_has_its_reason():
    missing = {*JOBS} - alerted() - NOT_ALERTED.keys()
    assert not missing, f"ops/prometheus/rules/alerts.yml: nothing says that {missing} stopped"
    assert alerted() <= {*JOBS}
    assert not NOT_ALERTED.keys() & alerted()
