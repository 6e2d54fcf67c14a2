"""The hosts of DATABASE_URL: by address before libpq sees them."""

import pytest

from service.names.lookups import Lookups
from workers.ledger_hosts import located


@pytest.fixture
def lookups(resolver):
    resolver.answers = {"a.test": ["127.0.0.1"], "b.test": ["127.0.0.2", "127.0.0.3"]}
    return Lookups()


def test_each_address_of_each_host_is_named_with_its_port(lookups):
    assert located({"host": "a.test,b.test", "port": "1,2"}, lookups) == {
        "host": "a.test,b.test,b.test",
        "hostaddr": "127.0.0.1,127.0.0.2,127.0.0.3",
        "port": "1,2,2",
    }


def test_without_a_port_none_is_named(lookups):
    found = located({"host": "b.test"}, lookups)
    assert found == {"host": "b.test,b.test", "hostaddr": "127.0.0.2,127.0.0.3"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"host": "/run/postgresql"},
        {"host": "127.0.0.1"},
        {"host": "::1"},
        {"host": "localhost"},
        {"host": "a.test", "hostaddr": "127.0.0.9"},
    ],
)
def test_what_needs_no_look_up_stays_as_it_is(lookups, resolver, given):
    assert located(given, lookups) == {}
    assert not resolver.asked


def test_a_host_that_cannot_be_found_is_left_out(lookups, monkeypatch):
    monkeypatch.setattr("workers.ledger_hosts.LOOK_UP_MAX_S", 0.1)
    found = located({"host": "x.dead.test,x.gone.test,a.test,/tmp", "port": "5"}, lookups)
    assert found == {"host": "a.test,/tmp", "hostaddr": "127.0.0.1,", "port": "5,5"}


@pytest.mark.parametrize("host", ["x.dead.test", "x.gone.test", "x" * 64 + ".test"])
def test_without_any_host_there_is_an_error_in_time(lookups, monkeypatch, host):
    monkeypatch.setattr("workers.ledger_hosts.LOOK_UP_MAX_S", 0.1)
    with pytest.raises(OSError):
        located({"host": host}, lookups)
