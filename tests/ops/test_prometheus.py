"""Scrape configuration, rules and alerts: checked and run by promtool, and held to the runbook."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

OPS = Path(__file__).resolve().parents[2] / "ops"
PROMETHEUS = OPS / "prometheus"
RUNBOOK = (OPS / "RUNBOOK.md").read_text()
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "rules" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = sorted({rule["alert"] for rule in RULES})
CASES: list[dict[str, Any]] = [
    {"expected": check["exp_alerts"], "alert": check["alertname"]}
    for path in sorted((PROMETHEUS / "tests").glob("*.yml"))
    for case in yaml.safe_load(path.read_text())["tests"]
    for check in case["alert_rule_test"]
]
by_promtool = pytest.mark.needs("prometheus")


def promtool(*args: str | Path) -> str:
    """Run promtool, which must succeed; gives what it said."""
    done = subprocess.run(
        ["promtool", *args], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@by_promtool
@pytest.mark.parametrize("name", ["prometheus.yml", "local.yml"])
def test_promtool_accepts_the_configuration_and_its_rules(name):
    assert "2 rule files found" in promtool("check", "config", PROMETHEUS / name)


@by_promtool
@pytest.mark.parametrize("path", sorted((PROMETHEUS / "tests").glob("*.yml")), ids=lambda p: p.stem)
def test_alerts_fire_when_they_should_and_only_then(path):
    promtool("test", "rules", path)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_that_fires_and_one_that_does_not(alert):
    expected = [bool(case["expected"]) for case in CASES if case["alert"] == alert]
    assert set(expected) == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_and_how_bad_and_where_to_read_on(rule):
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"ops/RUNBOOK.md#{rule['alert'].lower()}"


def test_the_runbook_has_a_paragraph_for_every_alert_and_for_no_other():
    chapter = RUNBOOK.split("\n## Alerts\n")[1].split("\n## ")[0]
    paragraphs = dict(
        re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", chapter, re.MULTILINE | re.DOTALL)
    )
    assert sorted(paragraphs) == ALERTS
    for alert, text in paragraphs.items():
        points = re.findall(r"^- \*\*(\w+)\*\*:", text, re.MULTILINE)
        assert points == ["Stuck", "Why", "Look", "Do"], alert
        assert text.split("- **Do**:")[1].count("```") == 2, f"{alert}: one safe command"
