"""The runbook's commands: its SQL runs, and the command line understands what it says."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from service.cli.parser import parser

ROOT = Path(__file__).resolve().parents[2]
RUNBOOK = (ROOT / "ops" / "RUNBOOK.md").read_text()
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def blocks(language: str) -> list[str]:
    """Give the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", RUNBOOK, re.MULTILINE | re.DOTALL)


def commands(program: str) -> list[str]:
    """Give the shell lines that begin with a program."""
    lines = [line for block in blocks("sh") for part in block.splitlines()
             for line in part.split(" && ")]  # fmt: skip
    return sorted({line for line in lines if line.startswith(f"{program} ")})


def test_there_is_something_to_run():
    assert len(blocks("sql")) > 10
    assert len(commands("notify")) > 3
    assert len(commands("docker-compose")) > 10


@pytest.mark.parametrize("query", blocks("sql"))
def test_every_query_runs(db, query):
    db.execute(query)


@pytest.mark.parametrize("line", commands("notify"))
def test_every_notify_command_is_understood(line):
    parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("line", commands("docker-compose"))
def test_every_compose_command_names_a_service_of_the_stack(line):
    words = [word.partition("=")[0] for word in shlex.split(line)]
    assert set(words) & SERVICES.keys() or line == "docker-compose up -d"
