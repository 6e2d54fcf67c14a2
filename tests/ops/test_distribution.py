"""The name under which pip knows us is ours, and the same everywhere."""

import re
import tomllib
from pathlib import Path

import pytest

from service.process.distribution import DISTRIBUTION, install

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# A pip requirement of that name, or a file that pip would make of it.
SOMEBODY_ELSES = re.compile(r"(?<![\w-])notification[-_]service(\[|==|-\*|-\d|:\d)", re.IGNORECASE)

CLIENT = ROOT / "service" / "client"

TEXTS = [
    "*.md", "*.yml", "*.toml", ".ci/*", ".env.example", "ops/**/*", "load/*.*", "service/**/*.py",
    "workers/**/*.py",
]  # fmt: skip


def test_the_name_is_that_of_the_project():
    assert PROJECT["name"] == DISTRIBUTION


@pytest.mark.parametrize("extra", ["embedded", "ops"])
def test_what_hints_install_exists(extra):
    assert f"'.[{extra}]'" in install(extra)
    assert extra in PROJECT["optional-dependencies"]


@pytest.mark.parametrize("where", TEXTS)
def test_no_text_installs_a_stranger(where):
    paths = [path for path in ROOT.glob(where) if path.is_file()]
    assert paths
    for path in paths:
        found = SOMEBODY_ELSES.search(path.read_text(errors="replace"))
        assert not found, f"{path}: {found and found[0]}"


def test_the_client_is_a_distribution_of_its_own_that_needs_nothing():
    client = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert client["name"] == "postgres-notification-client"
    assert client["dependencies"] == []
    for field in ("version", "license", "requires-python"):
        assert client[field] == PROJECT[field]
    assert (CLIENT / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_client_is_no_part_of_the_services_files(kind):
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    target = config["targets"][kind]
    assert "/service/client" in target.get("exclude", config["exclude"])
