"""What a sandbox makes of the settings, and what it refuses to be."""

from argparse import Namespace

import pytest

from service.cli.sandbox import for_sandbox, refuse_others
from service.config.settings import Settings
from service.errors import ConfigError
from service.names.guard import places


def test_it_has_a_name_that_no_environment_has_by_accident_and_a_state_of_its_own(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    settings = for_sandbox(Settings())
    assert settings.environment == "notify up --sandbox"
    assert settings.notify_state == "/somewhere/notify-sandbox"
    assert for_sandbox(Settings(notify_state="/mine")).notify_state == "/mine"


def test_the_ways_out_are_forgotten():
    settings = for_sandbox(
        Settings(
            webhook_proxy_url="http://proxy.example:3128",
            smtp_url="smtps://mail.example",
            mail_from="us@example.org",
        )
    )
    assert (settings.webhook_proxy_url, settings.smtp_url) == (None, None)
    assert settings.mail_from == "us@example.org"


@pytest.mark.parametrize(
    "url",
    ["https://example.org/x", "http://127.0.0.1:1/", "http://10.0.0.1/", "http://[::1]:8/",
     "http://169.254.169.254/", "http://denied.example/", "http://0x7f.1/", "http://web:3000/"],
)  # fmt: skip
def test_the_api_takes_any_recipient(url):
    settings = Settings(webhook_deny=places("denied.example 10.0.0.0/8"), webhook_ports=(443,))
    assert not for_sandbox(settings).guard.refuses(url)


@pytest.mark.parametrize(
    ("no_inbox", "environment", "says"),
    [(False, "production", "ENVIRONMENT=production: a sandbox is"),
     (False, "sandbox", "ENVIRONMENT=sandbox: a sandbox is"),
     (True, None, "leave --no-inbox out")],
)  # fmt: skip
def test_it_refuses_to_be_another_installation_or_to_have_no_inbox(no_inbox, environment, says):
    with pytest.raises(ConfigError, match=says):
        refuse_others(Namespace(no_inbox=no_inbox), Settings(environment=environment))
