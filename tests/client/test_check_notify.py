"""`manage.py check_notify` says whether the way is open, and what to do if not."""

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connections

from tests.producers import producer, role


@pytest.fixture
def check(shop, capsys):
    """Run the command; gives its lines."""

    def run(*options):
        call_command("check_notify", *options)
        return capsys.readouterr().out.splitlines()

    return run


def refused(check, *options):
    with pytest.raises(CommandError) as error:
        check(*options)
    assert error.value.returncode == 1
    return str(error.value)


def test_an_open_way(check, db):
    lines = check()
    assert lines == [
        f"database   {db.info.dbname}, the alias default",
        "schema     notify",
        "role       postgres, which sends as the producer postgres",
        "send       a mail was accepted, and rolled back",
        "mail       send_mail() goes this way",
    ]
    assert db.execute("select count(*) from notify.notifications").fetchone() == (0,)


def test_the_producer_is_the_one_that_was_granted(check, db, dsn):
    with producer(db, dsn, "o'shop") as session:
        user = session.info.user
        connections["default"].settings_dict |= {"USER": user, "PASSWORD": "p"}
        assert f"role       {user}, which sends as the producer o'shop" in check()
        connections["default"].close()


def test_a_role_that_may_not_send(check, db):
    with role(db) as user:
        connections["default"].settings_dict |= {"USER": user, "PASSWORD": "p"}
        assert f"select notify.grant_producer('{user}')" in refused(check)
        connections["default"].close()


def test_another_database_without_the_schema(check):
    assert "has no schema notify: run `notify migrate`" in refused(check, "--database", "ledger")
    assert "DATABASES has no 'nowhere'" in refused(check, "--database", "nowhere")


def test_a_database_that_is_away(check):
    connections["default"].settings_dict["PORT"] = 1
    assert refused(check).startswith("default cannot be asked: ")


def test_a_database_that_only_reads(check):
    read_only = {"options": "-c default_transaction_read_only=on"}
    connections["default"].settings_dict["OPTIONS"] = read_only
    assert "a mail is refused: cannot execute INSERT in a read-only" in refused(check)


def test_a_trigger_that_drops_rows_is_named(check, db):
    db.execute("""
        create function public.drop_it() returns trigger language plpgsql
          as 'begin return null; end';
        create trigger drop_it before insert on notify.notifications
        for each row execute function public.drop_it()
    """)
    assert "dropped by a trigger" in refused(check)


def test_mail_that_goes_another_way_is_said(check, monkeypatch):
    monkeypatch.setattr(settings, "EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
    assert check()[-1] == "mail       send_mail() does not go this way: EMAIL_BACKEND is another"


def test_an_older_schema_is_told(check, db):
    db.execute("drop function notify.send_many")
    assert "older than this client: run `notify migrate`" in refused(check)
