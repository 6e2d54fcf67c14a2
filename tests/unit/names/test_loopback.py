"""This machine's own names, on every Python alike."""

import pytest

from service.names.loopback import address_of, is_loopback


@pytest.mark.parametrize(
    "name",
    ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1",
     "[::ffff:7f00:1]"],
)  # fmt: skip
def test_this_machine_is_recognised(name):
    assert is_loopback(name)


@pytest.mark.parametrize(
    "name",
    ["", "localhost.example.org", "0.0.0.0", "10.0.0.1", "::", "::ffff:10.0.0.1", "fe80::1%lo",
     "127.0.0.1.example.org", "0177.0.0.1"],
)  # fmt: skip
def test_another_is_not(name):
    assert not is_loopback(name)


def test_a_name_is_no_address():
    assert address_of("example.org") is None
    assert str(address_of("[::ffff:10.0.0.1]")) == "10.0.0.1"
