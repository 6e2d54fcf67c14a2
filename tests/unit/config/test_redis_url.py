"""What a URL of sentinels says."""

import pytest

from service.config.redis_url import ASKED_MAX_S, sentinels

WAITS = {"socket_timeout": ASKED_MAX_S, "socket_connect_timeout": ASKED_MAX_S}


def test_hosts_name_and_both_passwords_are_read():
    asked = sentinels(
        "redis+sentinel://u:p%40w@a:1,[::1]:2,b/main?db=3&sentinel_username=s&sentinel_password=q%40"
    )
    assert (asked.hosts, asked.name) == ((("a", 1), ("::1", 2), ("b", 26379)), "main")
    assert asked.primary == {"username": "u", "password": "p@w", "db": 3, "ssl": False}
    assert asked.asking == {"username": "s", "password": "q@", "ssl": False} | WAITS


def test_tls_is_for_sentinels_as_well():
    asked = sentinels("rediss+sentinel://a/main?ssl_ca_certs=/ca.pem")
    tls = {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert asked.primary == tls
    assert asked.asking == {"username": None, "password": None} | tls | WAITS


@pytest.mark.parametrize("url", ["redis://a:1/0", "unix:///a+sentinel://b/c", "rediss://a"])
def test_other_urls_have_none(url):
    assert sentinels(url) is None
