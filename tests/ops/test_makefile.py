"""The verbs of the Makefile, of pre-commit and of the hosted run are commands that exist."""

import os
import re
import shlex
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
VERBS = re.findall(r"^([a-z]+):.* ## ", MAKEFILE, re.MULTILINE)
BROUGHT_BY = {"lint-imports": "import-linter"}  # a program whose distribution has another name
ALWAYS = {"python", "pip", "notify"}


def commands(text: str) -> list[list[str]]:
    """Cut shell lines into commands, each a list of words."""
    lines = [part for line in text.splitlines() for part in line.split("&&")]
    return [words for line in lines if (words := shlex.split(line))]


def recipe(verb: str) -> str:
    """Give the lines of a verb, as the Makefile has them."""
    found = re.search(rf"^{re.escape(verb)}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found is not None
    return found[1].replace("\t", "")


def is_there(command: list[str]) -> bool:
    """Say whether its program is of the venv or of this repository, and its module there."""
    program, *rest = command
    if program.endswith("python") and find_spec(rest[1]) is None:
        return False
    if not program.startswith(".venv/bin/"):
        return program in ("python3", "awk", "rm") or (ROOT / program).is_file()
    name = program.removeprefix(".venv/bin/")
    needed = [requirement for extra in EXTRAS.values() for requirement in extra]
    return name in ALWAYS or any(
        re.match(rf"{BROUGHT_BY.get(name, name)}\b", requirement) for requirement in needed
    )


@pytest.mark.parametrize("verb", [*VERBS, ".venv/bin/%"])
def test_every_command_of_a_verb_exists(verb):
    for command in commands(recipe(verb).removeprefix("@")):
        assert is_there(command), command
        for word in command:
            assert not re.match(r"(tests|load)/", word) or (ROOT / word).exists(), word


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", ".github/PULL_REQUEST_TEMPLATE.md"])
def test_every_verb_that_a_page_names_exists(page):
    named = re.findall(
        r"(?:`|^)make (\w+)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE
    )
    assert named
    assert set(named) <= set(VERBS)


def test_run_and_test_are_the_readmes_commands():
    assert f"```sh\n{recipe('run')}```" in README
    assert f"```sh\n{recipe('test')}```" in README


def test_lint_is_what_must_hold_on_a_clean_checkout():
    assert recipe("lint") in CI
    assert recipe("all") == ".ci/run\n"


def test_before_a_commit_runs_what_lint_runs_from_the_venv_alone():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    [local] = yaml.safe_load(text)["repos"]
    assert local["repo"] == "local"
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    hooks = [hook["entry"].replace(" --force-exclude", "") for hook in local["hooks"]]
    linted = recipe("lint").replace("format --check", "format").replace(" .\n", "\n")
    assert hooks == linted.splitlines()


def test_the_hosted_run_calls_what_runs_at_home_and_may_write_nothing():
    path = ROOT / ".github" / "workflows" / "ci.yml"
    workflow: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    [job] = workflow["jobs"].values()
    assert job["timeout-minutes"] == 40
    checkout, install, run = job["steps"]
    assert re.fullmatch(r"actions/checkout@v\d+\.\d+\.\d+", checkout["uses"])
    assert all(line.startswith("sudo ") for line in install["run"].splitlines())
    assert run == {"run": ".ci/run"}


@pytest.mark.needs("make")
def test_make_alone_lists_every_verb():
    shown = make().stdout
    assert [line.split()[1] for line in shown.splitlines()] == VERBS
    assert max(map(len, shown.splitlines())) < 100


@pytest.mark.needs("make")
@pytest.mark.parametrize("verb", VERBS)
def test_make_says_what_to_type_instead(verb):
    shown = make("-n", verb, "T=tests/sql/test_claim.py").stdout
    wanted = re.sub(r"\$\(or .*\)\)", "tests/sql/test_claim.py", recipe(verb)).removeprefix("@")
    assert shown.endswith(wanted.replace("$$", "$"))


@pytest.mark.needs("make")
def test_one_test_wants_to_be_named():
    done = make("one")
    assert done.returncode == 2
    assert "make one T=tests/sql/test_claim.py" in done.stderr


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Call make with nothing of a make, or its T, that called the tests."""
    environ = {"PATH": os.environ["PATH"]}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
