"""Settings: what each takes and refuses, and that .env.example says the same."""

from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from pathlib import Path

import pytest
from dotenv import dotenv_values

from service.config.settings import LEASE_SPARE_S, Settings, read_settings, retired_settings
from service.errors import ConfigError
from service.names.guard import LOOPBACK, Places
from workers.ledger_session import STATEMENT_TIMEOUT_S

EXAMPLE = Path(__file__).resolve().parents[3] / ".env.example"
NOWHERE = Path("/nonexistent/.env")
NAMES = [spec.name.upper() for spec in fields(Settings)]


def read(**environ):
    return read_settings(environ, NOWHERE)


def refusal(**environ):
    with pytest.raises(ConfigError) as caught:
        read(**environ)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_example_names_every_setting_once_and_no_other():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]
    assert sorted(names) == sorted(NAMES)


def test_the_example_as_it_stands_is_the_default():
    assert read_settings({}, EXAMPLE) == Settings() == read()


def test_every_number_and_word_of_the_example_is_written_out():
    written = {name for name, value in dotenv_values(EXAMPLE).items() if value}
    with_default = {
        s.name.upper() for s in fields(Settings) if s.default not in (None, (), Places())
    }
    assert written == with_default


def test_every_setting_of_the_example_is_explained():
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for before, line in pairwise(lines):
        if line and not line.startswith("#"):
            assert before.startswith("# "), line
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_value_counts_as_not_given(name):
    assert read(**{name: "  "}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PORT", "8080", 8080),
        ("WORKER_PROCESSES", "64", 64),
        ("WORKER_PROCESSES", " Auto ", None),
        ("NUM_THREADS", " 4 ", 4),
        ("MAX_RETRIES", "0", 0),
        ("REAPING_INTERVAL_MINS", "0.05", 0.05),
        ("LEASE_S", "14.5", 14.5),
        ("PAYLOAD_DAYS", "7", 7),
        ("IDEMPOTENCY_HOURS", "0.5", 0.5),
        ("RETRY_SCHEDULE", "5s, 1m,10M,2h,1d", (5, 60, 600, 7200, 86400)),
        ("RETRY_SCHEDULE_EMAIL", "0.2s", (0.2,)),
        ("LOG_LEVEL", "WARNING", "warning"),
        ("ENVIRONMENT", " Prod (Zürich, 2) ", "Prod (Zürich, 2)"),
        ("ENVIRONMENT", "it's", "it's"),
        ("ENVIRONMENT", "x" * 64, "x" * 64),
        ("API_OPEN", "True", True),
        ("NOTIFY_KEY", "nk_0123456789_abc", "nk_0123456789_abc"),
        ("WEBHOOK_PRIVATE", "True", True),
        ("WEBHOOK_PRIVATE", "false", False),
        ("WEBHOOK_ALLOW", "127.0.0.0/8, ::1", LOOPBACK),
        ("WEBHOOK_DENY", "Bad.example.", Places(names=frozenset({"bad.example"}))),
        ("WEBHOOK_PORTS", "80,443  8443", (80, 443, 8443)),
        ("WEBHOOK_PROXY_URL", "http://u:p@proxy:3128", "http://u:p@proxy:3128"),
        (
            "WEBHOOK_SECRET",
            "whsec_YQ==,whsec_Yg== whsec_Yw==",
            ("whsec_YQ==", "whsec_Yg==", "whsec_Yw=="),
        ),
        (
            "DATABASE_URL",
            "postgres://u:p%40@h/d?sslmode=disable",
            "postgres://u:p%40@h/d?sslmode=disable",
        ),
        ("DATABASE_URL", "postgresql:///d?host=/run/pg", "postgresql:///d?host=/run/pg"),
        ("SMTP_URL", "smtp://u:p@h:25?tls=optional", "smtp://u:p@h:25?tls=optional"),
        ("LOKI_URL", "http://ü:pä@h", "http://ü:pä@h"),
        ("LOKI_URL", "https://u:p@h/path?x=y", "https://u:p@h/path?x=y"),
        ("DATABASE_URL", "postgresql://u@a:1,b:2/d", "postgresql://u@a:1,b:2/d"),
        ("DATABASE_URL", "postgresql://a:1,[::1]:2/d", "postgresql://a:1,[::1]:2/d"),
        ("DATABASE_URL", "postgresql://[::1],[::2]/d", "postgresql://[::1],[::2]/d"),
        ("REDIS_URL", "redis://:p@[::1]:6379/0", "redis://:p@[::1]:6379/0"),
        ("REDIS_URL", "localhost:6379", "redis://localhost:6379"),
        ("REDIS_URL", "localhost", "redis://localhost"),
        ("REDIS_URL", "rediss://u:p@h:1/0", "rediss://u:p@h:1/0"),
        ("REDIS_URL", "unix:///run/valkey.sock", "unix:///run/valkey.sock"),
    ],
)
def test_a_value_is_read(variable, value, expected):
    given = {"MAIL_FROM": "a@b.example"} | {variable: value}
    assert getattr(read(**given), variable.lower()) == expected


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("WORKER_PROCESSES", "0", "auto or a whole number from 1 to 64"),
        ("WORKER_PROCESSES", "all", "auto or a whole number from 1 to 64"),
        ("NUM_THREADS", "2.5", "a whole number from 1 to 64"),
        ("MAX_RETRIES", "-1", "a whole number from 0 to 99"),
        ("MAX_RETRIES", "100", "a whole number from 0 to 99"),
        ("PAYLOAD_DAYS", "0", "a whole number from 1 to 3650"),
        ("LEASE_S", "nan", "a number from 1 to 3600"),
        ("LEASE_S", "inf", "a number from 1 to 3600"),
        ("LEASE_S", "30s", "a number from 1 to 3600"),
        ("REAPING_INTERVAL_MINS", "0", "a number from 0.01 to 1440"),
        ("IDEMPOTENCY_HOURS", "721", "a number from 0.01 to 720"),
        ("PORT", "\uff11\uff12", "a whole number from 1 to 65535"),
        ("PORT", "8_080", "a whole number from 1 to 65535"),
        ("PORT", "0x50", "a whole number from 1 to 65535"),
        ("PORT", "+80", "a whole number from 1 to 65535"),
        ("LEASE_S", "1e2", "a number from 1 to 3600"),
        ("LEASE_S", "\uff13\uff10", "a number from 1 to 3600"),
        ("LEASE_S", "3_0", "a number from 1 to 3600"),
        ("LEASE_S", "0x1F", "a number from 1 to 3600"),
        ("LEASE_S", "1,5", "a number from 1 to 3600"),
        ("LOG_LEVEL", "loud", "debug or info or warning or error"),
        ("LOG_STYLE", "xml", "pretty or json"),
        ("ENVIRONMENT", "a\tb", "a name of at most 64 printable characters"),
        ("ENVIRONMENT", "prod\u202e", "a name of at most 64 printable characters"),
        ("API_OPEN", "yes", "true or false"),
        ("WEBHOOK_PRIVATE", "maybe", "true or false"),
        ("WEBHOOK_PRIVATE", "1", "true or false"),
        ("WEBHOOK_PORTS", "80,0", "ports from 1 to 65535, separated by spaces"),
        ("WEBHOOK_PORTS", "8000-8100", "ports from 1 to 65535, separated by spaces"),
        ("WEBHOOK_PORTS", "\uff18\uff10", "ports from 1 to 65535, separated by spaces"),
        (
            "WEBHOOK_ALLOW",
            "10.0.0.1/8",
            "CIDRs as 10.1.0.0/16, with no bits set beyond their length",
        ),
        (
            "WEBHOOK_DENY",
            "*.example",
            "names, suffixes such as .example.org, addresses or CIDRs such as 10.1.0.0/16, "
            "separated by spaces",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_is_allowed(variable, value, allowed):
    assert refusal(**{variable: value}) == f"{variable}={value}: must be {allowed}"


@pytest.mark.parametrize("wrong", ["hunter2", "nk_hunter2", "nk_a_b\r\nX: y", "Bearer nk_a_b"])
def test_a_wrong_key_is_refused_and_not_shown(wrong):
    assert refusal(NOTIFY_KEY=wrong) == (
        "NOTIFY_KEY=(hidden): must be a key, nk_…, as `notify keys create` prints it"
    )


URLS = [
    "DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "SMTP_URL", "LOKI_URL", "WEBHOOK_PROXY_URL",
]  # fmt: skip
WRONG = [
    "{scheme}://u:hunter2%zz@h/d",
    "{scheme}://u:hunter2%@h/d",
    "{scheme}p://u:hunter2@h/d",
    "mysql://u:hunter2@h/d",
    "://hunter2@h",
    "{scheme}://u:hunter2/x@h/d",
    "{scheme}://u:12/hunter2@h/d",
    "{scheme}://u:12?hunter2@h/d",
    "{scheme}://u:hunter2?x@h/d",
    "{scheme}://u:12#hunter2@h/d",
    "{scheme}://u:hunter2#x@h/d",
    "{scheme}://u:hunter 2@h/d",
    "{scheme}://u:hunter2\x1b@h/d",
    "{scheme}://u:hunter2\u202e@h/d",
    "{scheme}://u:hunter2\u2100@h/d",
    "{scheme}://u:hunter2@h:port/d",
    "{scheme}://u@h:hunter2/d",
    "{scheme}://u:hunter2@h:99999/d",
    "{scheme}://u:hunter2@[::1/d",
    "{scheme}://u:hunter2@[x]/d",
    "{scheme}:/u:hunter2@h",
    "{scheme}://u:hunter2@h:0/d",
    "host=h password=hunter2",
    "password='hunter2",
    "hunter2",
]


@pytest.mark.parametrize("database", ["DATABASE_URL", "DATABASE_DIRECT_URL"])
@pytest.mark.parametrize(
    "form",
    [
        "u:pa@hunter2@h/d", "u:pa@hunter2@h:1/d", "h/d?sslmode=hunter2", "h/d?port=hunter2",
        "h/d?hostaddr=hunter2", "h/d?connect_timeout=hunter2", "h/d?keepalives_idle=hunter2",
        "h/d?service=hunter2", "h/d?target_session_attrs=hunter2", "h/d?gssencmode=hunter2",
        "h/d?require_auth=hunter2", "h/d?ssl_min_protocol_version=hunter2", "h/d?hunter2=1",
        "h/d?channel_binding=hunter2", "u:hunter2%00@h/d",
    ],
)  # fmt: skip
def test_what_libpq_would_quote_when_it_connects_is_refused_before(database, form):
    message = refusal(**{database: f"postgresql://{form}"})
    assert message.startswith(f"{database}=(hidden): must be a URL")
    assert "hunter" not in message


@pytest.mark.parametrize(
    "form",
    [
        "h?db=hunter2", "h?socket_timeout=hunter2", "h?protocol=hunter2", "h?hunter2=1",
        "h?ssl_ca_certs=hunter2", "h?max_connections=hunter2", "h?connection_class=hunter2",
        "h?health_check_interval=hunter2", "h?retry_on_error=hunter2", "h?retry=hunter2",
        "h?db=1&ssl_cert_reqs=hunter2", "h?db=1.2.hunter2",
    ],
)  # fmt: skip
def test_what_redis_would_quote_when_it_connects_is_refused_before(form):
    message = refusal(REDIS_URL=f"redis://u:hunter3@{form}")
    assert message.startswith("REDIS_URL=(hidden): must be a URL")
    assert "hunter" not in message


@pytest.mark.parametrize(
    "url",
    ["redis://h:6379/hunter2", "rediss://h/1/2", "redis://h/-1", "redis://h/1.0",
     "redis://h/\uff11", "redis://h/x?db=1"],
)  # fmt: skip
def test_a_database_of_redis_is_a_number(url):
    message = refusal(REDIS_URL=url)
    assert message.startswith("REDIS_URL=(hidden): must be a URL")
    assert "the database's number or nothing behind the host" in message
    assert "hunter" not in message


@pytest.mark.parametrize(
    "value",
    [
        "redis://:p%40w@h:1/3", "redis://h?db=3&socket_timeout=1.5", "unix:///run/v.sock?db=1",
        "rediss://h?ssl_cert_reqs=none&ssl_ca_certs=/nowhere", "redis://h?username=u&password=p",
        "redis://h/", "redis://h//2", "redis://h/12/", "redis://h/%31", "unix:///run/1/v.sock",
        "redis+sentinel://a/main", "rediss+sentinel://u:p%40w@a:1,[::1]:2,[::2]/m-1?db=3",
        "redis+sentinel://:p@a,b/m?sentinel_username=u&sentinel_password=%40&socket_timeout=1",
    ],
)  # fmt: skip
def test_what_redis_takes_is_taken(value):
    assert read(REDIS_URL=value).redis_url == value


@pytest.mark.parametrize(
    "form",
    [
        "a,b", "a,b/", "a,b/hunter2/0", "a,b?db=0", "a,,b/m", "a,b/m?sentinel_hunter2=1",
        "a,b/m?db=hunter2", "a,b/hunter 2", "a,b/hunter%202", "a,b/m#hunter2",
    ],
)  # fmt: skip
def test_sentinels_without_what_they_need_are_refused(form):
    message = refusal(REDIS_URL=f"redis+sentinel://u:hunter3@{form}")
    assert message.startswith("REDIS_URL=(hidden): must be a URL")
    assert "hunter" not in message


def test_only_sentinels_have_a_password_of_their_own():
    assert "must be a URL" in refusal(REDIS_URL="redis://h?sentinel_password=p")


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://u:p%40w@a:1,b:2/d?target_session_attrs=read-write&connect_timeout=3",
        "postgresql:///d?host=/run/pg&port=5433", "postgresql://h/d?application_name=a@b",
        "postgresql://h/d?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=/nowhere",
        "postgresql://h/d?connect_timeout=-1&options=-c%20work_mem%3D4MB",
    ],
)  # fmt: skip
def test_what_libpq_takes_is_taken(value):
    assert read(DATABASE_URL=value).database_url == value


@pytest.mark.parametrize("variable", URLS)
@pytest.mark.parametrize("form", WRONG)
def test_no_refusal_shows_a_part_of_a_url(variable, form):
    scheme = {
        "DATABASE": "postgresql", "REDIS": "redis", "SMTP": "smtp", "LOKI": "http",
        "WEBHOOK": "http",
    }  # fmt: skip
    value = form.format(scheme=scheme[variable.partition("_")[0]])
    try:
        read(**{variable: value, "MAIL_FROM": "a@b.example"})
    except ConfigError as error:
        message = str(error)
        assert "hunter" not in message
        assert message.startswith(f"{variable}=(hidden): must be a URL"), message
    else:
        assert may_be_meant(variable, form)


def may_be_meant(variable, form):
    """What is no URL may be Redis's host; to libpq all before an @ and a slash is the password."""
    if variable.startswith("DATABASE"):
        return form == "{scheme}://u:12?hunter2@h/d"
    return variable == "REDIS_URL" and "://" not in form and " " not in form


@pytest.mark.parametrize("variable", ["LOKI_URL", "WEBHOOK_PROXY_URL", "SMTP_URL"])
@pytest.mark.parametrize(
    ("form", "advice"),
    [
        ("u:hunter2@höst:1", "in ASCII: a host's name as xn--…"),
        ("u:hunter2@h/päth", "other letters as %C3%A9 stands for é"),
        ("u:hunter2%00@h", "without %00"),
        ("u%00:hunter2@h", "without %00"),
    ],
)
def test_what_libcurl_does_not_take_is_refused_with_what_to_write(variable, form, advice):
    scheme = "smtp" if variable == "SMTP_URL" else "http"
    message = refusal(**{variable: f"{scheme}://{form}", "MAIL_FROM": "a@b.example"})
    assert message.startswith(f"{variable}=(hidden): must be a URL, {scheme}://…, ")
    assert advice in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "query", ["hunter2", "hunter2=1", "password=hunter2&nix=1", "sslmode", "options=%zz"]
)
def test_what_libpq_cannot_read_is_refused_without_its_words(query):
    message = refusal(DATABASE_URL=f"postgresql://h/d?{query}")
    assert message.startswith("DATABASE_URL=(hidden): must be a URL, postgresql://…, ")
    assert "hunter2" not in message


@pytest.mark.parametrize("variable", ["WEBHOOK_SECRET", "PORT", "LOG_LEVEL", "LEASE_S"])
def test_a_secret_in_the_wrong_place_is_not_shown(variable):
    for value in ("whsec_hunter2!", "redis://:hunter2@h", "password=hunter2", "hunter2" * 9):
        if variable != "WEBHOOK_SECRET" or value.startswith("whsec_"):
            assert "hunter2" not in refusal(**{variable: value})


@pytest.mark.parametrize(
    ("together", "message"),
    [
        ({"LEASE_S": "10"}, "LEASE_S=10: must be more than SEND_DEADLINE_S=10"),
        ({"LEASE_S": "10.005"}, "LEASE_S=10.005: must be more than SEND_DEADLINE_S=10, by 4 s or"),
        ({"LEASE_S": "13.9"}, "LEASE_S=13.9: must be more than SEND_DEADLINE_S=10, by 4 s or more"),
        ({"LEASE_S": "5"}, "LEASE_S=5: must be more than SEND_DEADLINE_S=10"),
        ({"RETENTION_DAYS": "7"}, "RETENTION_DAYS=7: must be at least SEND_AT_MAX_DAYS=30"),
        ({"SMTP_URL": "smtp://h"}, "MAIL_FROM is missing"),
    ],
)
def test_settings_that_are_wrong_together_are_refused(together, message):
    assert refusal(**together).startswith(message)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SMTP_URL", "smtp://"), ("SMTP_URL", "smtps://:465"), ("SMTP_URL", "smtp:///x"),
        ("SMTP_URL", "smtp://h:0"), ("LOKI_URL", "http://"), ("LOKI_URL", "https:///path"),
        ("REDIS_URL", "redis://"), ("REDIS_URL", "redis://:6379/0"), ("REDIS_URL", "redis:///0"),
        ("REDIS_URL", "redis+sentinel:///m"), ("REDIS_URL", "redis+sentinel://a,b:0/m"),
    ],
)  # fmt: skip
def test_a_url_without_a_host_or_with_a_port_that_is_none_is_refused(variable, value):
    message = refusal(**{variable: value, "MAIL_FROM": "a@b.example"})
    assert message.endswith("with a host and a port")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_value_whose_quotes_were_left_in_is_refused(name, quote):
    message = refusal(**{name: f"{quote}hunter2{quote}"})
    assert message.startswith(f"{name}: stands in quotes")
    assert "hunter2" not in message


def test_the_lease_leaves_time_for_the_slowest_claim():
    assert LEASE_SPARE_S >= STATEMENT_TIMEOUT_S


def test_the_environment_wins_over_the_file_and_an_empty_one_does_not(tmp_path):
    file = tmp_path / ".env"
    file.write_text("PORT=4000\nNUM_THREADS=8\nexport LOG_LEVEL='debug'\n# LEASE_S=99\n")
    settings = read_settings({"PORT": "5000", "NUM_THREADS": ""}, file)
    assert (settings.port, settings.num_threads, settings.log_level) == (5000, 8, "debug")
    assert settings.lease_s == Settings().lease_s


def test_the_file_of_the_working_directory_is_read_by_default(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PORT=4000\n")
    assert read_settings({}).port == 4000


def test_the_processs_environment_is_read_by_default(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "4001")
    assert read_settings().port == 4001


def test_other_variables_are_none_of_its_business():
    assert read(PATH="/bin", PORTS="x") == Settings()


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]  # that it cannot be set is what is tested


def test_three_retries_are_four_attempts():
    assert read(MAX_RETRIES="3").max_attempts == 4


def test_listening_goes_past_the_pooler_when_there_is_one():
    assert read(DATABASE_URL="postgresql://pooler/d").direct_url == "postgresql://pooler/d"
    settings = read(DATABASE_URL="postgresql://pooler/d", DATABASE_DIRECT_URL="postgresql://pg/d")
    assert settings.direct_url == "postgresql://pg/d"


def test_the_direct_url_of_a_file_goes_with_the_database_url_of_that_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text("DATABASE_URL=postgresql://pooler/d\nDATABASE_DIRECT_URL=postgresql://pg/d\n")
    other, past = "postgresql://other/d", "postgresql://past/d"
    both = {"DATABASE_URL": other, "DATABASE_DIRECT_URL": past}
    assert read_settings({}, file).direct_url == "postgresql://pg/d"
    assert read_settings({"DATABASE_URL": "postgresql://pooler/d"}, file).direct_url == (
        "postgresql://pg/d"
    )
    assert read_settings({"DATABASE_URL": other}, file).direct_url == other
    assert read_settings(both, file).direct_url == past
    assert read_settings({"DATABASE_DIRECT_URL": past}, file).direct_url == past
    file.write_text("DATABASE_DIRECT_URL=postgresql://pg/d\n")
    assert read_settings({"DATABASE_URL": other}, file).direct_url == "postgresql://pg/d"


@pytest.mark.parametrize(
    ("url", "is_same"),
    [
        ("postgresql://app:new@pooler:6432/d", True), ("postgres://app:old@pooler:6432/d", True),
        ("postgresql://ops@pooler:6432/d", True),
        ("postgresql://app:old@pooler:6432/d?connect_timeout=3", True),
        ("postgresql://app:old@/d?host=pooler&port=6432", True),
        ("postgresql://app:old@pooler/d", False), ("postgresql://app:old@pooler:6432/e", False),
        ("postgresql://app:old@other:6432/d", False), ("postgresql://app:old@pooler:6432", False),
        ("postgresql://app:old@pooler:6432/d?hostaddr=127.0.0.1", False),
    ],
)  # fmt: skip
def test_the_direct_url_of_a_file_is_used_for_the_same_database_however_written(
    tmp_path, url, is_same
):
    file = tmp_path / ".env"
    file.write_text(
        "DATABASE_URL=postgresql://app:old@pooler:6432/d\nDATABASE_DIRECT_URL=postgresql://pg/d\n"
    )
    used = read_settings({"DATABASE_URL": url}, file).database_direct_url
    assert used == ("postgresql://pg/d" if is_same else None)


def test_a_default_port_written_out_is_no_other_database(tmp_path):
    file = tmp_path / ".env"
    file.write_text("DATABASE_URL=postgresql://d@pg\nDATABASE_DIRECT_URL=postgresql://past/d\n")
    given = {"DATABASE_URL": "postgresql://pg:5432/d"}
    assert read_settings(given, file).direct_url == "postgresql://past/d"


@pytest.mark.parametrize("unreadable", ["hunter2", "postgresql://u:%ff@h:x/d"])
def test_a_database_url_of_a_file_that_nobody_uses_may_be_unreadable(tmp_path, unreadable):
    file = tmp_path / ".env"
    file.write_text(f"DATABASE_URL={unreadable}\nDATABASE_DIRECT_URL=postgresql://past/d\n")
    given = {"DATABASE_URL": "postgresql://pg/d"}
    assert read_settings(given, file).direct_url == "postgresql://pg/d"


@pytest.mark.parametrize(
    "given",
    ["ops@example.org", "Käse <ops@bücher.example>", '"Müller, A." <a@faß.de>', "a@localhost"],
)
def test_mail_may_come_from(given):
    assert read(MAIL_FROM=given).mail_from == given


@pytest.mark.parametrize(
    "given",
    ["Foo Bar", "Foo <bar>", "a@b.example, c@d.example", "a@b_c.example", "A, B <a@b.example>",
     "a@b.example\r\nBcc: x@y.example", "A\u2028 <a@b.example>", "a" * 300 + "@b.example"],
)  # fmt: skip
def test_mail_may_not_come_from(given):
    assert refusal(MAIL_FROM=given, SMTP_URL="smtp://u:secret@h").startswith("MAIL_FROM=")
    assert "secret" not in refusal(MAIL_FROM=given, SMTP_URL="smtp://u:secret@h")


def test_a_setting_that_is_no_longer_read_is_named_with_its_successor():
    given = {"BACKOFF_BASE_S": "2", "BACKOFF_CAP_S": "", "PORT": "1"}
    assert retired_settings(given, NOWHERE) == [
        "BACKOFF_BASE_S is no longer read: use RETRY_SCHEDULE"
    ]
    assert retired_settings({}, EXAMPLE) == []


@pytest.mark.parametrize(
    "value", ["5", "5s,", ",", "5s 1m", "-5s", "31d", "5x", "1e3s", "s", ",".join(["1s"] * 101)]
)
def test_a_schedule_is_a_list_of_durations_with_units(value):
    assert "5s,1m,10m" in refusal(RETRY_SCHEDULE=value)


def test_each_channel_may_have_its_own_schedule():
    settings = read(RETRY_SCHEDULE="1s,2s", RETRY_SCHEDULE_EMAIL="1h")
    assert settings.retry_schedules == {"webhook": (1, 2), "email": (3600,), "log": (1, 2)}


@pytest.mark.parametrize(
    "host",
    ["[nonsense]:1", "[v1.x]:1", "a[::1]:1", "[::1]x:1", "u:p[x]q@h:1", "[::1", "::1]", "h:65536",
     "h:\u0663", "h:1:2", "a:1,[::1]:2", "[]"],
)  # fmt: skip
def test_a_host_that_pythons_read_differently_is_refused_by_each(host):
    for name, scheme in (("REDIS_URL", "redis"), ("SMTP_URL", "smtp"), ("LOKI_URL", "http")):
        assert "with a host and a port" in refusal(**{name: f"{scheme}://{host}"})
