"""The plugin, in the tests of programs: fixture `outbox` shows what a test has enqueued."""

import re
import tomllib
from pathlib import Path

import pytest
from notification_client.outbox import NAMES
from psycopg.conninfo import conninfo_to_dict

from service.cli import main
from tests.producers import role

pytest_plugins = ["pytester"]

CLIENT = Path(__file__).resolve().parents[2] / "service" / "client"
PLAIN = """
import psycopg, pytest

@pytest.fixture
def notify_db():
    with psycopg.connect({url!r}) as db:
        yield db
        db.rollback()
"""
SEND = "select notify.send({}, reference => 'order-42')"


@pytest.fixture
def program(pytester, monkeypatch, dsn):
    """Run tests of a program that has the plugin; returns their result."""
    monkeypatch.setenv("PYTHONPATH", str(CLIENT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)

    def run(tests, *options, conftest=PLAIN, django=False, **files):
        pytester.makeconftest(conftest.format(url=dsn))
        pytester.makepyfile(**{"test_program": tests, **files})
        plugins = ["-p", "notification_client.pytest_plugin", *(["-p", "django"] if django else [])]
        return pytester.runpytest_subprocess(*plugins, "-W", "error", *options)

    return run


def test_the_distribution_brings_the_plugin():
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {
        "notification_client": "notification_client.pytest_plugin"
    }


def test_it_shows_what_the_test_enqueued_and_nothing_of_before(program, db):
    db.execute("select notify.send('log', 'before', '{}')")
    done = program("""
        from notification_client import send

        def test_rolled_back(notify_db, outbox):
            send("webhook", "https://example.org/", {"order": 42, "total": 9.5}, db=notify_db,
                 reference="order-42")
            row = outbox.assert_one(channel="webhook", payload={"order": 42})
            assert (row.recipient, row.reference) == ("https://example.org/", "order-42")
            assert row.payload == {"order": 42, "total": 9.5}
            assert [len(outbox), outbox[0], list(outbox)] == [1, row, outbox.matching()]
            notify_db.rollback()
            outbox.assert_none()

        def test_committed_and_by_sql(notify_db, outbox):
            notify_db.execute("insert into notify.notifications (channel, recipient, payload)"
                              " values ('log', 'me', '[1]')")
            notify_db.commit()
            outbox.assert_one(payload=[1])

        def test_the_next_test_sees_none_of_it(outbox):
            outbox.assert_none()
    """)
    done.assert_outcomes(passed=3)


def test_a_failure_shows_what_there_is_instead(program):
    done = program("""
        from notification_client import send

        def test_order(notify_db, outbox):
            send("log", "ada", {"order": 42}, db=notify_db, reference="order-42")
            send("log", "bob", {"order": 42, "total": 1}, db=notify_db)
            outbox.assert_one(recipient="ada", payload={"order": 43})
    """)
    done.assert_outcomes(failed=1)
    shown = [line[1:].strip() for line in done.outlines if line.startswith("E ")]
    assert shown == [
        "AssertionError: wanted one with recipient='ada', payload={'order': 43}; there are 0",
        "enqueued since the outbox was made, and not rolled back: 2",
        '1. log to ada, reference order-42: {"order": 42}',
        "differs in payload['order']",
        '2. log to bob: {"order": 42, "total": 1}',
        "differs in recipient, payload['order']",
    ]
    assert "outbox.py" not in done.stdout.str().partition("short test summary")[0]


def test_what_is_too_much_fails_as_well(program):
    done = program("""
        from notification_client import send

        def test_twice(notify_db, outbox):
            send("log", "ada", {}, db=notify_db)
            send("log", "ada", {}, db=notify_db)
            outbox.assert_one(recipient="ada")

        def test_unwanted(notify_db, outbox):
            send("log", "ada", {}, db=notify_db)
            outbox.assert_none()

        def test_mistyped(outbox):
            outbox.assert_none(recipent="ada")
    """)
    done.assert_outcomes(failed=3)
    done.stdout.fnmatch_lines([
        "E * wanted one with recipient='ada'; there are 2",
        "E * wanted none with anything; there is 1",
        "E *TypeError: no such field: recipent. Use *",
    ])  # fmt: skip


def test_it_leaves_no_transaction_open_that_was_not(program):
    done = program("""
        import psycopg
        from notification_client import send

        def test_idle(notify_db, outbox):
            assert notify_db.info.transaction_status == 0
            outbox.assert_none()
            assert notify_db.info.transaction_status == 0
            notify_db.autocommit = True
            send("log", "ada", {}, db=notify_db)
            assert len(outbox) == 1
    """)
    done.assert_outcomes(passed=1)


SQLALCHEMY = """
import pytest, sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session, sessionmaker

@pytest.fixture
def engine():
    engine = sa.create_engine({url!r}.replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    engine.dispose()

@pytest.fixture(params=["connection", "session", "scoped"])
def notify_db(engine, request):
    if request.param == "scoped":
        db = scoped_session(sessionmaker(engine))
        yield db
        db.remove()
    else:
        with (engine.connect() if request.param == "connection" else Session(engine)) as db:
            yield db
"""


def test_sqlalchemy_in_a_transaction_of_the_programs_own(program):
    done = program(
        """
        from notification_client import send

        def test_rolled_back(notify_db, outbox):
            outbox.assert_none()
            with notify_db.begin():
                send("log", "ada", {}, db=notify_db)
                outbox.assert_one(recipient="ada")
            with notify_db.begin():
                outbox.assert_one(recipient="ada")
                send("log", "bob", {}, db=notify_db)
                notify_db.rollback()
            outbox.assert_one()
    """,
        conftest=SQLALCHEMY,
    )
    done.assert_outcomes(passed=3)


def test_an_async_outbox_is_awaited(program):
    done = program(
        """
        import asyncio, os, pytest
        from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
        from notification_client import send
        from notification_client.outbox import Outbox

        def test_session():
            async def main():
                engine = create_async_engine(os.environ["SQLALCHEMY_URL"])
                async with AsyncSession(engine) as session:
                    outbox = Outbox(session)
                    await send("log", "ada", {}, db=session)
                    (await outbox).assert_one(recipient="ada")
                    with pytest.raises(TypeError, match="await outbox"):
                        outbox.assert_none()
                    await session.rollback()
                    (await outbox).assert_none()
                await engine.dispose()
            asyncio.run(main())
    """,
        conftest="import os; os.environ['SQLALCHEMY_URL'] = {url!r}.replace('ql:', 'ql+psycopg:')",
    )
    done.assert_outcomes(passed=1)


def test_who_may_not_read_and_where_the_schema_is_missing(program, db, empty_dsn):
    with role(db) as user:
        db.execute("select notify.grant_producer(%s)", [user])
        done = program(
            "def test_it(outbox): pass",
            conftest=PLAIN.replace("{url!r}", f"{{url!r}}, user={user!r}, password='p'"),
        )
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["E *outbox reads notify.notifications, which a producer may not*"])
    done = program("def test_it(outbox): pass", conftest=PLAIN.replace("{url!r}", repr(empty_dsn)))
    done.stdout.fnmatch_lines(["E *has no schema notify: load what `notify schema` prints*"])


def test_without_a_db_it_says_what_to_write(program):
    done = program("def test_it(outbox): pass", conftest="")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["*define a fixture `notify_db`*"])


def test_the_page_names_the_fields_and_the_conftest_that_are_tested_here():
    page = (CLIENT.parents[1] / "ops" / "TESTING.md").read_text()
    [fields] = re.findall(r"^Fields are (.*?)\. A", page, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", fields)) | {"id"} == NAMES
    for said in ("django_db_setup(django_db_setup, django_db_blocker)", "notify_db(session)"):
        assert said in page


SETTINGS = """
import django

DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.postgresql", "NAME": {dbname!r}, "USER": {user!r},
    "PASSWORD": {password!r}, "HOST": {host!r}, "PORT": {port!r},
}}}}
if django.VERSION >= (6, 1):
    MAILERS = {{"default": {{"BACKEND": "notification_client.django.EmailBackend"}}}}
else:
    EMAIL_BACKEND = "notification_client.django.EmailBackend"
INSTALLED_APPS = ["notification_client.django"]
USE_TZ = True
"""
DJANGO = """
import pathlib, pytest

@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(pathlib.Path("notify.sql").read_text())
"""


def test_django_with_the_printed_schema(program, pytester, dsn, capfd):
    assert main(["schema"]) == 0
    pytester.path.joinpath("notify.sql").write_text(capfd.readouterr().out)
    done = program(
        """
        import pytest
        from django.core import mail
        from django.db import connection, transaction

        def greet():
            with transaction.atomic():
                mail.send_mail("Hello", "Text", None, ["ada@example.org"])

        def test_in_a_transaction(db, outbox):
            greet()
            row = outbox.assert_one(channel="email", recipient="ada@example.org",
                                    payload={"subject": "Hello"})
            assert row.status == "queued"
            assert mail.outbox == []

        @pytest.mark.django_db
        def test_what_is_rolled_back_is_not_sent(outbox):
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                greet()
                1 / 0
            outbox.assert_none()

        def test_without_asking_for_the_database(outbox):
            greet()
            assert len(outbox) == 1

        @pytest.mark.django_db(transaction=True)
        def test_committed(outbox):
            greet()
            outbox.assert_one(recipient="ada@example.org")

        def test_after_a_commit(outbox):
            outbox.assert_none()

        @pytest.mark.django_db
        def test_without_the_outbox_mails_are_djangos():
            greet()
            assert len(mail.outbox) == 1
    """,
        "--ds", "shop_settings",
        conftest=DJANGO, django=True, shop_settings=SETTINGS.format(**conninfo_to_dict(dsn)),
    )  # fmt: skip
    done.assert_outcomes(passed=6)


def test_a_test_that_asks_for_the_outbox_alone_runs_on_djangos_test_database(
    program, pytester, dsn, capfd
):
    assert main(["schema"]) == 0
    pytester.path.joinpath("notify.sql").write_text(capfd.readouterr().out)
    done = program(
        """
        from django.db import connection

        def test_alone(outbox):
            outbox.assert_none()
            assert connection.settings_dict["NAME"].startswith("test_")
    """,
        "--ds", "shop_settings",
        conftest=DJANGO, django=True, shop_settings=SETTINGS.format(**conninfo_to_dict(dsn)),
    )  # fmt: skip
    done.assert_outcomes(passed=1)
