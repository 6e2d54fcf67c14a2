"""notify.destination_of() and what it spells with: the same words as the workers'."""

import pytest

from service.names.origin import origin
from tests.corpus import OK, REFUSED
from tests.sql.test_ipv4_spelled import HOSTS
from tests.sql.test_ipv6_spelled import ADDRESSES
from workers.channels.email import domain

URLS = [
    "http://hooks.example", "HTTP://HOOKS.example/a/b?c#d", "http://hooks.example:80",
    "http://hooks.example:080/x", "http://hooks.example:00080", "http://hooks.example:",
    "http://hooks.example./", "http://hooks.example..", "http://.", "http://./", "http://hooks.example.:80",
    "http://user:secret@hooks.example/", "http://a@b@hooks.example:80?x=@other.example",
    "http://hooks.example\\@other.example/", "https://h:443/", "https://h:80/", "https://h:0443/",
    "http://h:08080/", "http://h:0", "ftp://h:21", "http://h_1", "", "h", "mailto:a@b", "http://",
    "http:///x", "http://:80/", "http://[::1]:80/", "http://[zz]/", "http://[1.2.3.4]/",
    "http://h:12345678901234567", "http://é.example", "http://h%41", "x://y",
]  # fmt: skip


def spelled(db, channel, recipient):
    query = "select notify.destination_of(%s, %s) as name"
    return db.execute(query, [channel, recipient]).fetchone().name


def theirs(channel, recipient):
    """Name a destination as workers do."""
    if channel == "email":
        return domain(recipient.rpartition("@")[2])
    return origin(recipient)


def test_whatever_is_accepted_has_the_destination_that_workers_use(shared_db):
    accepted = {
        (e.channel, e.recipient)
        for e in [*OK, *REFUSED]
        if e.rule is None and e.channel in ("webhook", "email")
    }
    assert len(accepted) > 30
    for channel, recipient in sorted(accepted):
        is_beyond = channel == "email" and not recipient.rpartition("@")[2].isascii()
        expected = None if is_beyond else theirs(channel, recipient)
        assert spelled(shared_db, channel, recipient) == expected, recipient


def test_each_spelling_of_a_url_has_the_origin_that_workers_use(shared_db):
    urls = [*URLS, *(f"http://{host}/" for host in HOSTS), *(f"http://[{a}]:8/" for a in ADDRESSES)]
    got = {url: spelled(shared_db, "webhook", url) for url in urls}
    assert got == {url: origin(url) if url.isascii() else None for url in urls}


@pytest.mark.parametrize(
    "recipient",
    ["a@example.org", "a@EXAMPLE.org.", '"a@b"@example.org', "a@b@example.org", "a@x", "a"],
)
def test_a_mail_has_the_domain_that_workers_use(shared_db, recipient):
    name = recipient.rpartition("@")[2] if "@" in recipient else None
    assert spelled(shared_db, "email", recipient) == (domain(name) if name else None)


def test_what_only_workers_spell_has_none_here(shared_db):
    assert spelled(shared_db, "email", "a@bücher.example") is None
    assert spelled(shared_db, "log", "https://h") is None
    assert spelled(shared_db, "sms", "1") is None
