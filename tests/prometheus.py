"""A real Prometheus for tests: Debian's package, on the shipped configuration and rules."""

import json
import math
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.waiting import LIMIT_S, wait_for

PROGRAM = shutil.which("prometheus")
SHIPPED = Path(__file__).resolve().parent.parent / "ops" / "prometheus"


class Target(NamedTuple):
    """One process of the service."""

    role: str
    port: int


class Prometheus:
    """A client of its HTTP API; NaN counts as nothing."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: Any) -> Any:
        """Ask, and give the answer's data. Raises AssertionError with what Prometheus says."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(
                f"{self.url}/api/v1/{path}?{query}", timeout=LIMIT_S
            ) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def now(self, expr: str) -> dict[tuple[str, ...], float]:
        """Give the value of each series, by its labels' values in the order of their names."""
        series = self.get("query", query=expr)["result"]
        values = {
            tuple(value for name, value in sorted(item["metric"].items()) if name != "__name__"):
            float(item["value"][1])
            for item in series
        }  # fmt: skip
        return {labels: value for labels, value in values.items() if not math.isnan(value)}

    def value(self, expr: str) -> float | None:
        """Give the only value; None: there is none."""
        values = self.now(expr)
        assert len(values) <= 1, values
        return next(iter(values.values()), None)

    def values_of_last(self, expr: str, seconds: float) -> list[float]:
        """Give every value of the last seconds, one for each second."""
        end = time.time()
        answer = self.get("query_range", query=expr, start=end - seconds, end=end, step=1)
        values = [float(value) for series in answer["result"] for _, value in series["values"]]
        return [value for value in values if not math.isnan(value)]


def configuration(targets: Sequence[Target]) -> dict[str, Any]:
    """Take the shipped configuration, with other targets, and scrape each second."""
    shipped: dict[str, Any] = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    (job,) = shipped["scrape_configs"]
    assert job.pop("dns_sd_configs")
    assert job.pop("relabel_configs") == [
        {"source_labels": ["__meta_dns_name"], "target_label": "role"}
    ]
    job["static_configs"] = [
        {"targets": [f"127.0.0.1:{target.port}"], "labels": {"role": target.role}}
        for target in targets
    ]
    shipped["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s",
                         "evaluation_interval": "1s"}  # fmt: skip
    shipped["rule_files"] = [str(SHIPPED / files) for files in shipped["rule_files"]]
    return shipped


@contextmanager
def prometheus(home: Path, port: int, targets: Sequence[Target]) -> Iterator[Prometheus]:
    """Run one until the context ends."""
    assert PROGRAM
    config = home / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(targets)), encoding="utf-8")
    log = home / "prometheus.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [PROGRAM, f"--config.file={config}", f"--storage.tsdb.path={home / 'tsdb'}",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"],
            stdout=out, stderr=out,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{url}/-/ready") or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait(LIMIT_S)


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=LIMIT_S).close()
    except OSError:
        return False
    return True
