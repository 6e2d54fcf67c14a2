"""The command line starts quickly."""

import subprocess
import sys


def test_the_command_line_starts_without_what_takes_time():
    code = "import sys, service.cli.run; print('dataclasses' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "False"
