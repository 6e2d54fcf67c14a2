"""The warnings about settings at the start: typing mistakes, weak secrets, and no others."""

from pathlib import Path

import pytest

from service.config.odd_settings import odd_settings
from service.config.settings import NAMES, Settings, read_settings

NOWHERE = Path("/nonexistent/.env")
STRONG = "whsec_" + "YWJj" * 8


def odd_lines(env_file=NOWHERE, **environ):
    return list(odd_settings(read_settings(environ, env_file), environ, env_file))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("NUM_THREAD", "NUM_THREADS"), ("NUMTHREADS", "NUM_THREADS"),
        ("num_threads", "NUM_THREADS"),
        ("NUM-THREADS", "NUM_THREADS"), ("DATABASE_URI", "DATABASE_URL"),
        ("REDIS_URI", "REDIS_URL"), ("NOTIFY_DATABASE_URL", "DATABASE_URL"),
        ("WEBHOOK_SECRETS", "WEBHOOK_SECRET"), ("MAX_RETRYS", "MAX_RETRIES"),
        ("RETENTION_DAY", "RETENTION_DAYS"), ("LEASES_S", "LEASE_S"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_told_with_what_may_be_meant(tmp_path, name, wanted):
    file = tmp_path / ".env"
    file.write_text(f"'{name}'=hunter2\n")
    assert odd_lines(file) == [f"{name} in {file} is no setting: did you mean {wanted}?"]
    if "_" in name:
        assert odd_lines(**{name: "hunter2"}) == [f"{name} is no setting: did you mean {wanted}?"]


OF_OTHERS = """
PATH HOME HOSTNAME HOSTS PORTS LOGLEVEL LOG_FILE LOG_FORMAT PGHOST PGDATABASE NODE_ENV
DJANGO_SETTINGS_MODULE SECRET_KEY DB_URL DATABASE_NAME DATABASE_HOST DATABASE_PASSWORD REDIS_HOST
REDIS_PORT REDIS_PASSWORD SMTP_HOST SMTP_PORT SMTP_USER SMTP_PASSWORD POSTGRES_PASSWORD NOTIFY_PORT
NOTIFY_SERVICE_HOST NOTIFY_READER_PASSWORD NOTIFY_OPS_PASSWORD NOTIFY_SOCKET METRICS_ADDR
TEST_DATABASE_URL TEST_REDIS_URL MAIL_HOST MAILTO HTTP_PROXY no_proxy OMP_NUM_THREADS
MKL_NUM_THREADS SENTRY_DSN WEBHOOK_URL LANG LC_ALL SHELL TERM USER STATE PWD
"""


@pytest.mark.parametrize("name", [*OF_OTHERS.split(), *sorted(NAMES)])
def test_what_is_ours_or_of_others_is_not_told(name):
    assert list(odd_settings(Settings(), {name: "tcp://x"}, NOWHERE)) == []


@pytest.mark.parametrize("secret", ["hello", "whsec_YQ==", f"{STRONG} hello", "MTIzNDU2Nzg5MDEy"])
def test_a_secret_that_can_be_guessed_is_told_and_not_shown(secret):
    [line] = odd_lines(WEBHOOK_SECRET=secret)
    assert "fewer than 24 bytes" in line
    assert "hello" not in line
    assert odd_lines(WEBHOOK_SECRET=STRONG) == []


def test_waits_that_no_attempt_comes_to_are_told():
    [line] = odd_lines(RETRY_SCHEDULE="5s,5m,30m,2h,5h,10h,10h")
    assert line == "RETRY_SCHEDULE has 7 waits, and MAX_RETRIES=3 uses the first 3"
    assert odd_lines(RETRY_SCHEDULE="5s,5m,30m,2h,5h,10h,10h", MAX_RETRIES="7") == []
    assert odd_lines(MAX_RETRIES="1") == []


def test_payloads_that_go_with_their_rows_anyway_are_told():
    [line] = odd_lines(PAYLOAD_DAYS="30")
    assert line == "PAYLOAD_DAYS=30 does nothing: RETENTION_DAYS=30 drops the rows by then"
    assert odd_lines(PAYLOAD_DAYS="29") == []


def test_a_line_of_the_file_that_cannot_be_read_is_told(tmp_path):
    file = tmp_path / ".env"
    file.write_text("PORT: hunter2\n")
    assert odd_lines(file) == [f"line 1 of {file} is no NAME=value"]


def test_a_direct_url_that_leads_to_another_database_is_told_and_not_shown(tmp_path):
    file = tmp_path / ".env"
    file.write_text(
        "DATABASE_URL=postgresql://pooler/d\nDATABASE_DIRECT_URL=postgresql://u:hunter2@pg/d\n"
    )
    other = "postgresql://other/d"
    assert odd_lines(file, DATABASE_URL=other) == [
        f"DATABASE_DIRECT_URL in {file} is not used: it belongs to the DATABASE_URL there, and the"
        " environment gives another database: set its own beside that one"
    ]
    assert odd_lines(file) == []
    assert odd_lines(file, DATABASE_URL="postgresql://u:new@pooler/d") == []
    assert odd_lines(file, DATABASE_URL=other, DATABASE_DIRECT_URL="postgresql://past/d") == []
