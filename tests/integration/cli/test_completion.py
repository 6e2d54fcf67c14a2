"""Tab: a shell asks the command itself what may stand there."""

import os
import subprocess
from pathlib import Path

import pytest

from service import cli
from tests.acceptance.conftest import NOTIFY
from tests.waiting import LIMIT_S


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("notify st", {"status"}),
        ("notify list --st", {"--status"}),
        ("notify list --status s", {"sending", "sent"}),
        ("notify send w", {"webhook"}),
    ],
)
def test_tab_offers_what_may_follow(bare, line, offered):
    asked = {
        "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": "said",
        "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9",
    }  # fmt: skip
    (bare / "said").touch()
    subprocess.run([NOTIFY], env=os.environ | asked, timeout=LIMIT_S, check=False)
    assert {word.strip() for word in (bare / "said").read_text().split("\n")} == offered


def test_a_marker_says_that_it_may_be_asked():
    """argcomplete's global completion runs no program without it."""
    assert "PYTHON_ARGCOMPLETE_OK" in Path(cli.__file__).read_text().splitlines()[0]
