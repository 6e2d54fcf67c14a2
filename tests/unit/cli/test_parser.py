"""What the parser knows by heart, so that each command starts quickly."""

import subprocess
import sys

from service.cli.parser import STATUSES
from service.model import Status


def test_the_statuses_are_those_of_the_model():
    assert list(Status) == STATUSES


def test_the_command_line_starts_without_the_model():
    code = "import sys, service.cli.run; print('service.model' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "False"
