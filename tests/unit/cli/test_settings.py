"""Where the state directory is, as it was typed or written."""

from pathlib import Path

import pytest

from service.cli.settings import state_directory
from service.config.settings import Settings
from service.errors import StartError


def test_a_tilde_is_the_home_that_the_shell_did_not_put_there(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert state_directory(Settings(notify_state="~/notify")) == Path("/home/ada/notify")
    assert state_directory(Settings(notify_state="/a/~/b")) == Path("/a/~/b")


def test_a_tilde_of_nobody_is_refused():
    with pytest.raises(StartError, match="NOTIFY_STATE=~nobody-here/notify: no such home"):
        state_directory(Settings(notify_state="~nobody-here/notify"))
