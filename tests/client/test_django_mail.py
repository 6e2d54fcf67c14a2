"""EMAIL_BACKEND: Django's mails are rows of channel email, in Django's own transaction."""

import warnings
from datetime import datetime
from email.mime.text import MIMEText

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail, send_mass_mail
from django.core.mail.message import BadHeaderError
from django.db import OperationalError, connection, connections, transaction
from django.utils.translation import gettext_lazy
from notification_client import Refused
from notification_client.django import NotCarried
from notification_client.django.mail import HEADER_NAME

from service.channels import email
from tests.client.project import US, described
from tests.producers import producer


@pytest.fixture
def rows(shop, db):
    """Give a function that reads what was enqueued."""

    def read(columns="recipient, payload"):
        query = f"select {columns} from notify.notifications order by created_at, id"
        return [tuple(row) for row in db.execute(query)]

    return read


def message(to=("ada@example.org",), **said):
    return EmailMultiAlternatives("Hello", "Text", to=to, **said)


def test_a_mail_is_a_row(rows):
    assert send_mail("Hello", "Text", None, ["ada@example.org"], html_message="<p>Text") == 1
    assert rows("channel, recipient, payload") == [
        ("email", "ada@example.org", {"subject": "Hello", "text": "Text", "html": "<p>Text"})
    ]


def test_it_is_sent_if_the_transaction_commits_and_never_was_if_not(rows):
    with transaction.atomic():
        send_mail("Kept", "Text", None, ["ada@example.org"])
        with transaction.atomic():
            send_mail("Rolled back", "Text", None, ["ada@example.org"])
            transaction.set_rollback(True)
        assert rows() == []
    assert [payload["subject"] for _, payload in rows()] == ["Kept"]


def test_each_recipient_gets_a_row_of_one_statement(rows, db):
    mail = message(
        ["Ada <ada@example.org>", "bob@example.org"], cc=["cy@example.org", "ada@example.org"],
        bcc=["di@example.org", ""],
    )  # fmt: skip
    statements = []
    with connection.execute_wrapper(lambda run, *call: statements.append(1) or run(*call)):
        assert mail.send() == 1
    assert len(statements) == 1
    assert {recipient for recipient, _ in rows()} == {
        "ada@example.org", "bob@example.org", "cy@example.org", "di@example.org",
    }  # fmt: skip
    assert len(rows()) == 4
    assert {payload["subject"] for _, payload in rows()} == {"Hello"}


def test_mass_mail_counts_mails_and_not_recipients(rows):
    mails = [
        (f"Hello {n}", "Text", US, [f"ada{n}@example.org", f"bob{n}@example.org"])
        for n in range(600)
    ]
    assert send_mass_mail([*mails, ("To nobody", "Text", US, [])]) == 600
    assert len(rows()) == 1200


def test_more_than_a_statement_takes_is_all_or_nothing(rows):
    mails = [("Hello", "Text", US, [f"ada{n}@example.org"]) for n in range(1001)]
    with pytest.raises(Refused):
        send_mass_mail([*mails, ("Hello", "Text", US, ["ada@example.invalid"])])
    assert rows() == []


def test_reply_to_and_headers_are_carried(rows):
    message(reply_to=["Help <help@example.org>"], headers={"X-Shop": gettext_lazy("7")}).send()
    message(headers={"reply-To": "help@example.org", "List-Id": "news"}).send()
    assert [payload for _, payload in rows()] == [
        {"subject": "Hello", "text": "Text", "reply_to": "help@example.org",
         "headers": {"X-Shop": "7"}},
        {"subject": "Hello", "text": "Text", "reply_to": "help@example.org",
         "headers": {"List-Id": "news"}},
    ]  # fmt: skip


def test_html_alone_and_lazy_texts(rows):
    mail = EmailMessage(
        gettext_lazy("Hello"), gettext_lazy("<p>"), to=[gettext_lazy("a@b.example")]
    )
    mail.content_subtype = "html"
    mail.send()
    mail = EmailMultiAlternatives("Hello", "", to=["a@b.example"])
    mail.attach_alternative("<p>", "text/html")
    mail.send()
    EmailMessage("Hello", to=["a@b.example"]).send()
    assert [payload for _, payload in rows()] == [
        {"subject": "Hello", "html": "<p>"},
        {"subject": "Hello", "html": "<p>"},
        {"subject": "Hello", "text": ""},
    ]


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("Ada <ada@example.org>", "ada@example.org"),
        ('"Lovelace, Ada" <ada@example.org>', "ada@example.org"),
        ("ada@example.org (Ada)", "ada@example.org"),
        ("=?utf-8?q?Ad=C3=A4?= <ada@example.org>", "ada@example.org"),
        ("Ада <ада@пример.рф>", "ада@пример.рф"),
        ("o'hara+shop@example.org", "o'hara+shop@example.org"),
    ],
)
def test_an_address_is_taken_out_of_what_people_write(rows, written, stored):
    message([written]).send()
    assert [recipient for recipient, _ in rows()] == [stored]


@pytest.mark.parametrize(
    "written",
    [
        "ada", "ada@", "a@example.org, b@example.org", "Lovelace, Ada <ada@example.org>",
        "ada@example.org\nBcc: eve@example.org", "ada@=?utf-8?q?evil.example?=", "a@b@example.org",
        '"a b"@example.org', "ada@[127.0.0.1]", "Ada <a@example.org> <b@example.org>", " ",
        "ada@example.invalid",
    ],
)  # fmt: skip
def test_what_is_no_single_address_is_refused(rows, written):
    with pytest.raises((ValueError, Refused)):
        message([written]).send()
    assert rows() == []


def test_bytes_are_no_body(rows):
    for body, html in ((b"Text", "<p>"), ("Text", b"<p>")):
        written = EmailMultiAlternatives("Hello", body, to=["ada@example.org"])
        written.alternatives.append((html, "text/html"))
        with pytest.raises(TypeError, match="not bytes"):
            written.send(fail_silently=True)
    assert rows() == []


@pytest.mark.parametrize("text", ["Hi\nBcc: eve@example.org", "Hi\r", "Hi\r\n there"])
def test_a_line_break_in_a_header_is_refused_as_by_django(rows, text):
    for written in (
        EmailMessage(text, "Text", to=["ada@example.org"]),
        message(headers={"X-Shop": text}),
        message(headers={"Reply-To": text}),
        message(from_email=text),
    ):
        with pytest.raises(BadHeaderError):
            written.send(fail_silently=True)
    assert rows() == []


def test_other_control_characters_are_refused_by_the_database(rows):
    with pytest.raises(Refused) as refusal:
        EmailMessage("Hi\u2028there", "Text", to=["ada@example.org"]).send()
    assert refusal.value.rule == "email_subject_is_one_line"


class Signed(EmailMessage):
    """Builds its MIME by itself."""

    def message(self):
        return MIMEText("signed")


def with_alternative(content, kind):
    mail = message()
    mail.attach_alternative(content, kind)
    return mail


def with_attachment(*attachment):
    mail = message()
    mail.attach(*attachment)
    return mail


def as_markdown():
    mail = message()
    mail.content_subtype = "markdown"
    return mail


@pytest.mark.parametrize(
    ("mail", "named"),
    [
        (lambda: with_attachment("bill.pdf", b"%PDF", "application/pdf"), "attachments (bill.pdf)"),
        (lambda: with_attachment(MIMEText("x")), "attachments (text/plain)"),
        (lambda: with_alternative("BEGIN:VCALENDAR", "text/calendar"), "a body of text/calendar"),
        (lambda: with_alternative("Text", "text/plain"), "a second body of text/plain"),
        (as_markdown, "a body of text/markdown"),
        (lambda: message(headers={"Message-ID": "<1@example.org>"}), "header Message-ID"),
        (lambda: message(headers={"From": US}), "header From"),
        (lambda: message(headers={"To": "list@example.org"}), "header To"),
        (lambda: message(reply_to=["a@b.example", "c@d.example"]), "more than one reply_to"),
        (lambda: message(from_email="eve@example.org"), "from_email eve@example.org: all mail"),
        (lambda: Signed("Hello", "Text", to=["ada@example.org"]), "what Signed.message() builds"),
    ],
)
def test_what_a_notification_has_no_place_for_is_named(rows, mail, named):
    for silently in (False, True):
        with pytest.raises(NotCarried) as error:
            mail().send(fail_silently=silently)
        assert named in str(error.value)
    assert rows() == []


def test_all_that_is_not_carried_is_named_together(rows):
    mail = with_attachment("a.txt", "a", "text/plain")
    mail.extra_headers = {"Date": "today", "X-Shop": "7"}
    with pytest.raises(NotCarried) as error:
        mail.send()
    assert error.value.what == ("attachments (a.txt)", "header Date")


def test_the_headers_that_are_carried_are_those_of_the_service():
    assert HEADER_NAME == email.HEADER_NAME


def test_senders_that_may_be_given_up(rows, monkeypatch):
    monkeypatch.setattr(settings, "NOTIFY_FROM_EMAILS", ["news@example.org"], raising=False)
    for sender in ("shop@example.org", "Other <SHOP@example.org>", "news@example.org",
                   settings.SERVER_EMAIL, None):  # fmt: skip
        assert message(from_email=sender).send() == 1
    assert len(rows()) == 5


def test_a_mail_to_nobody_is_none(rows):
    assert message([]).send() == 0
    assert mail.get_connection().send_messages([message([])]) == 0
    assert mail.get_connection().send_messages([]) == 0
    assert rows() == []


def test_a_mail_may_say_more_of_itself(rows):
    mail = message()
    mail.notify = {"reference": "order-42", "priority": 0, "idempotency_key": "order-42"}
    mail.send()
    mail.send()
    assert rows("reference, priority, idempotency_key") == [("order-42", 0, "order-42")]


def test_one_key_for_two_recipients_is_no_key(rows):
    mail = message(["ada@example.org", "bob@example.org"])
    mail.notify = {"idempotency_key": "order-42"}
    with pytest.raises(NotCarried, match="one idempotency_key for several"):
        mail.send()
    assert rows() == []


def test_silently_a_refused_mail_is_left_out_and_the_transaction_goes_on(rows):
    mails = [message([f"ada@example.{end}"]) for end in ("org", "invalid", "com")]
    with transaction.atomic():
        assert mail.get_connection(fail_silently=True).send_messages(mails) == 2
        send_mail("After", "Text", None, ["ada@example.net"])
    assert [recipient for recipient, _ in rows()] == [
        "ada@example.org", "ada@example.com", "ada@example.net",
    ]  # fmt: skip


WRONG = {
    "a priority that is a text": (TypeError, {"notify": {"priority": "high"}}),
    "an option that is none": (TypeError, {"notify": {"tag": "x"}}),
    "a time without an offset": (ValueError, {"notify": {"send_at": datetime(2100, 1, 1)}}),
    "a text that cannot be stored": (ValueError, {"body": "\0"}),
}


@pytest.mark.parametrize("silently", [True, False])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_one_mail_is_told_before_any_is_queued(rows, name, silently):
    kind, said = WRONG[name]
    wrong = message(["bob@example.org"])
    vars(wrong).update(said)
    with pytest.raises(kind):
        mail.get_connection(fail_silently=silently).send_messages([message(), wrong])
    assert rows() == []


def test_not_silently_one_refused_mail_stops_all(rows):
    mails = [message([f"ada@example.{end}"]) for end in ("org", "invalid", "com")]
    with pytest.raises(Refused):
        mail.get_connection().send_messages(mails)
    assert rows() == []


def test_silently_a_database_that_is_away_is_no_mail(shop):
    connections["default"].settings_dict["PORT"] = 1
    assert message().send(fail_silently=True) == 0
    with pytest.raises(OperationalError):
        message().send()


def test_the_database_is_that_of_the_setting(rows, dsn, empty_dsn, monkeypatch):
    connections["default"].settings_dict |= described(empty_dsn)
    connections["ledger"].settings_dict |= described(dsn)
    monkeypatch.setattr(settings, "NOTIFY_DATABASE", "ledger", raising=False)
    with transaction.atomic(using="ledger"):
        message().send()
        assert rows() == []
    assert len(rows()) == 1


def test_a_producer_who_may_only_send_sends(rows, db, dsn):
    with producer(db, dsn) as session:
        user = session.info.user
        connections["default"].settings_dict |= {"USER": user, "PASSWORD": "p"}
        message(["ada@example.org", "bob@example.org"]).send()
        connections["default"].close()
        assert rows("producer") == [(user,), (user,)]


def test_no_django_warns(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert message().send() == 1
