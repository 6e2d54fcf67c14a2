"""Every place that a channel must be entered in: each failure names the one that was forgotten.

"Add a channel" in ops/ARCHITECTURE.md is the list in the order of the work.
"""

import json
import re
from dataclasses import fields
from pathlib import Path

import msgspec
import pytest

from service.api.body import read_notification
from service.channels.table import CHANNELS
from service.channels.words import WORDS, either
from service.config.settings import Settings
from service.model.words import Channel
from tests.corpus import OK, REFUSED
from workers.channels import channels

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {setting.name for setting in fields(Settings)}
CONFIGURED = Settings(smtp_url="smtp://127.0.0.1", mail_from="us@example.org")
DASHBOARDS = sorted((ROOT / "ops" / "grafana" / "dashboards").glob("*.json"))

each_channel = pytest.mark.parametrize("channel", Channel)


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@each_channel
def test_people_read_of_it(channel):
    assert channel in WORDS, f"service/channels/words.py: WORDS has no {channel}"
    assert WORDS[channel].get("recipient_in_help"), (
        f"service/channels/words.py: recipient_in_help of {channel} is for `notify send --help`"
    )
    unknown = {name.lower() for name in WORDS[channel].get("needs", ())} - SETTINGS
    assert not unknown, f"service/config/settings.py: {channel} needs {unknown}, which are none"


def test_words_come_in_the_order_of_the_model():
    assert list(WORDS) == list(Channel), (
        "service/channels/words.py: WORDS, as in service/model/words.py"
    )


@each_channel
def test_what_it_takes_is_declared(channel):
    assert channel in CHANNELS, f"service/channels/table.py: CHANNELS has no {channel}"


@each_channel
def test_its_example_is_right(channel):
    where = f"service/channels/{channel}.py: the example"
    assert channel in CHANNELS, f"{where} is missing"
    body = msgspec.json.encode({"channel": channel, **CHANNELS[channel].example})
    assert read_notification(body, CONFIGURED).channel is channel, where


@each_channel
def test_sql_knows_it(channel):
    known = re.search(r"p_channel not in \(([^)]*)\)", text("sql/unmet_rule.sql"))
    assert known and f"'{channel}'" in known[1], (
        f"sql/unmet_rule.sql: channel_is_known lacks {channel}"
    )


def test_sql_names_them_all_in_its_hint():
    hint = f"array['channel_is_known', 'channel', 'Use {either(Channel)}.']"
    assert hint in text("sql/unmet_rule.sql"), "sql/unmet_rule.sql: the hint of channel_is_known"


@each_channel
@pytest.mark.parametrize(
    ("examples", "name"), [(OK, "OK"), (REFUSED, "REFUSED")], ids=["ok", "refused"]
)
def test_edge_and_sql_are_compared_by_examples_of_it(channel, examples, name):
    assert channel in {example.channel for example in examples}, (
        f"tests/corpus.py: {name} has no {channel}"
    )


@each_channel
def test_workers_deliver_it(channel):
    assert channel in channels(CONFIGURED), (
        f"workers/channels/__init__.py: channels() lacks {channel}"
    )


@each_channel
def test_it_may_have_waits_of_its_own(channel):
    name = f"retry_schedule_{channel}"
    assert name in SETTINGS, f"service/config/settings.py: Settings has no {name}"


@each_channel
def test_its_waits_are_explained(channel):
    line = f"RETRY_SCHEDULE_{channel.upper()}="
    assert line in text(".env.example").splitlines(), f".env.example: there is no line {line}"


@each_channel
def test_compose_passes_its_waits_on(channel):
    name = f"RETRY_SCHEDULE_{channel.upper()}"
    lines = [line.strip() for line in text("docker-compose.yml").splitlines()]
    wanted = f"{name}: ${{{name}:-}}"
    assert wanted in lines, f"docker-compose.yml: there is no line {wanted}"


@each_channel
def test_its_waits_are_promised(channel):
    name = f"RETRY_SCHEDULE_{channel.upper()}"
    assert name in text("ops/STABILITY.md").split(), f"ops/STABILITY.md: Settings lacks {name}"


@each_channel
def test_its_name_is_promised(channel):
    lines = text("ops/STABILITY.md").splitlines()
    [row] = [line for line in lines if line.startswith("| `channel` |")]
    assert f"`{channel}`" in row, f"ops/STABILITY.md: the row `channel` lacks `{channel}`"


@each_channel
def test_dashboards_offer_it(channel):
    choices = [
        variable["query"]
        for path in DASHBOARDS
        for variable in json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]
        if variable["name"] == "channel"
    ]
    assert choices
    for choice in choices:
        assert re.search(rf"\b{channel}\b", choice), (
            f"ops/grafana/dashboards/: no choice of {channel}: run python -m ops.dashboards"
        )


@each_channel
def test_the_readme_names_it(channel):
    rows = [line for line in text("README.md").splitlines() if line.startswith("| `channel` |")]
    assert any(f"`{channel}`" in row for row in rows), f"README.md: `channel` has no {channel}"
