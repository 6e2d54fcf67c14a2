"""The file `.env`: as people, editors and machines write it, and what cannot be one."""

import os
from pathlib import Path

import pytest

from service.config.env_file import unreadable
from service.config.settings import read_settings
from service.errors import ConfigError


@pytest.fixture
def env(tmp_path):
    return tmp_path / ".env"


def refusal(env, **environ):
    with pytest.raises(ConfigError) as caught:
        read_settings(environ, env)
    message = str(caught.value)
    assert message.startswith(f"{env}: ")
    assert "\n" not in message
    assert "hunter2" not in message
    return message


@pytest.mark.parametrize(
    "raw",
    [
        b"PORT=4000\nNUM_THREADS=8\n",
        b"PORT=4000\r\nNUM_THREADS=8\r\n",
        b"\xef\xbb\xbfPORT=4000\nNUM_THREADS=8",
        b"export PORT=4000\nexport NUM_THREADS='8'\n",
        b'PORT = 4000   \nNUM_THREADS="8" # eight\n',
        b"PORT=4000\nthis is no line\nNUM_THREADS=8\n",
        b"A=8\nPORT=4000\nNUM_THREADS=${A}\n",
        b"PORT=4000\nNUM_THREADS=${NOBODYS:-8}\n",
        "# Größe\nPORT=4000\nNUM_THREADS=8\n".encode(),
    ],
)
def test_a_file_is_read_however_it_is_written(env, raw):
    env.write_bytes(raw)
    settings = read_settings({}, env)
    assert (settings.port, settings.num_threads) == (4000, 8)


def test_a_value_may_hold_a_dollar_and_a_variable(env):
    env.write_text("SMTP_URL=smtp://u:a$b@${WHERE}\nMAIL_FROM=a@b.example\n")
    assert read_settings({"WHERE": "h"}, env).smtp_url == "smtp://u:a$b@h"


def test_a_name_that_stands_for_nothing_is_refused(env):
    env.write_text("DATABASE_URL=postgresql://u:hunter2${NOBODYS}x@h/d\n")
    assert "DATABASE_URL names ${NOBODYS}, which is not set" in refusal(env)


@pytest.mark.parametrize(
    "text",
    [
        "DATABASE_URL=postgresql://u:${PW}@h/d\nPW=hunter2\n",
        "PW=${NOBODYS}\nDATABASE_URL=postgresql://u:${PW}@h/d\n",
        "PW\nDATABASE_URL=postgresql://u:${PW}@h/d\n",
    ],
)
def test_a_name_stands_for_what_came_before_it_and_never_for_nothing(env, text):
    env.write_text(text)
    assert "DATABASE_URL names ${PW" in refusal(env)


@pytest.mark.parametrize("form", ["${PW:?is needed}", "${PW-hunter2}", "${PW:-${OTHER}}"])
def test_what_only_shells_know_is_refused(env, form):
    env.write_text(f"PW=hunter2\nDATABASE_URL=postgresql://u:hunter2{form}@h/d\n")
    assert "only ${NAME} and ${NAME:-default} are known" in refusal(env)


def test_what_is_empty_on_purpose_is_taken(env):
    env.write_text(
        "PW=hunter2\nPW=\nSMTP_URL=smtp://u:${PW}${VAR}x@h\nWEBHOOK_SECRET=\nMAIL_FROM=a@b.example\n"
    )
    assert read_settings({"VAR": ""}, env).smtp_url == "smtp://u:x@h"


def test_what_looks_like_a_variable_and_is_none_is_taken_as_it_is(env):
    env.write_text("SMTP_URL='smtp://u:a${x:y}b@h'\nMAIL_FROM=a@b.example\n")
    assert read_settings({}, env).smtp_url == "smtp://u:a${x:y}b@h"


def test_what_the_environment_has_is_not_looked_at(env):
    env.write_text("PORT\nSMTP_URL=smtp://u:${NOBODYS}@h\n")
    settings = read_settings(
        {"PORT": "4000", "SMTP_URL": "smtp://h", "MAIL_FROM": "a@b.example"}, env
    )
    assert (settings.port, settings.smtp_url) == (4000, "smtp://h")


def test_a_name_stands_for_the_last_value_before_it(env):
    env.write_text("A=4000\nPORT=${A}\nA=4001\nMETRICS_PORT=${A}\nA=${NOBODYS}\n")
    settings = read_settings({}, env)
    assert (settings.port, settings.metrics_port) == (4000, 4001)


def test_a_default_stands_for_what_has_no_value(env):
    env.write_text("EMPTY=\nPORT=${EMPTY:-4000}\nMAIL_FROM=${NOBODYS:-}\n")
    settings = read_settings({"EMPTY": ""}, env)
    assert (settings.port, settings.mail_from) == (4000, None)


@pytest.mark.parametrize("line", ["PORT", "export PORT", "PORT # 4001"])
def test_a_setting_without_a_value_is_refused(env, line):
    env.write_text(f"\nPORT=4000\n\n{line}\n")
    assert refusal(env).endswith("line 4: PORT has no = and no value after it")


def test_the_names_of_others_may_stand_for_nothing(env):
    env.write_text("SOMEBODYS=${NOBODYS}\nOTHERS\nPORT=4000\n")
    assert read_settings({}, env).port == 4000


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("PORT=4000\nA=hunter2\nB=ä".encode("latin-1"), "line 3 is not UTF-8"),
        ("PORT=4000".encode("utf-16"), "save the file as UTF-8"),
        (b"A=hunter2\0\nPORT=4000", "holds a NUL byte"),
        (b"A=" + b"x" * 1_000_001, "is larger than"),
    ],
)
def test_a_file_that_is_no_text_is_refused(env, raw, told):
    env.write_bytes(raw)
    assert told in refusal(env)


def test_a_pipe_is_refused_and_not_waited_for(env):
    os.mkfifo(env)
    assert "is no regular file" in refusal(env)


def test_a_link_that_leads_nowhere_is_refused(env):
    env.symlink_to("/nonexistent")
    assert "No such file" in refusal(env)


def test_a_link_that_leads_round_is_refused(env):
    env.symlink_to(env)
    assert "levels of symbolic links" in refusal(env)


def test_a_file_that_may_not_be_read_is_refused(env, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    env.write_text("PORT=4000\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "Permission denied" in refusal(env)


def test_a_directory_is_somebodys_virtual_environment(env):
    env.mkdir()
    assert read_settings({}, env).port == 3000


def test_a_line_that_is_no_setting_is_named_by_its_number(env):
    env.write_text("PORT=4000\n\nPORT: 4001\nLEASE_S='30\nLOG_LEVEL=info\n")
    assert list(unreadable(env)) == [3, 4]
