"""Where webhooks may go: by the URL alone, by the address that is connected, and by settings."""

import pytest

from service.names.guard import LOOPBACK, Guard, Places, guard, places
from tests.spellings import FORBIDDEN, NAMES

GUARD = Guard()
HOOK = "http://hooks.corp.example/x"


@pytest.mark.parametrize("url", [*FORBIDDEN, "http://127.0.0.1../"])
def test_each_spelling_of_a_forbidden_address_is_refused(url):
    assert GUARD.refuses(url.format(port=80))


@pytest.mark.parametrize("url", [*NAMES, "http://127..1/", "http://localhost../"])
def test_a_name_is_not_refused_before_it_is_looked_up(url):
    assert not GUARD.refuses(url.format(port=80))


@pytest.mark.parametrize("url", ["http://8.8.8.8", "http://[2600::1]/", HOOK, "http://0x8080808"])
def test_public_addresses_and_names_are_taken(url):
    assert not GUARD.refuses(url)


@pytest.mark.parametrize("url", ["", "x", "ftp://8.8.8.8/", "http://", "http://[::1", "http://a b"])
def test_what_has_no_host_that_we_can_read_is_refused(url):
    assert GUARD.refuses(url)
    assert not GUARD.permits(url, "8.8.8.8", 80)


@pytest.mark.parametrize("address", ["", "x", "/run/x.sock", "127.1", "8.8.8.8.8"])
def test_what_is_no_address_may_not_be_connected(address):
    assert not GUARD.permits(HOOK, address, 80)


@pytest.mark.parametrize(
    ("address", "closed", "opened"),
    [
        ("8.8.8.8", True, True),
        ("10.0.0.1", False, True),
        ("100.64.0.1", False, True),
        ("fd00::1", False, True),
        ("::ffff:10.0.0.1", False, True),
        ("64:ff9b::a00:1", False, True),
        ("127.0.0.1", False, False),
        ("169.254.169.254", False, False),
        ("fd00:ec2::254", False, False),
        ("fe80::1%eth0", False, False),
        ("64:ff9b::7f00:1", False, False),
    ],
)
def test_one_switch_opens_private_networks_and_nothing_else(address, closed, opened):
    assert GUARD.permits(HOOK, address, 443) is closed
    assert Guard(private=True).permits(HOOK, address, 443) is opened


@pytest.mark.parametrize(
    ("allow", "permitted"),
    [
        ("hooks.corp.example", True),
        ("HOOKS.corp.example.", True),
        (".corp.example", True),
        (".hooks.corp.example", False),
        ("corp.example", False),
        (".example", True),
        ("127.0.0.0/8", True),
        ("127.1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0/0", True),
        ("::/0", False),
        ("10.0.0.0/8", False),
        ("", False),
    ],
)
def test_allow_takes_names_suffixes_and_networks(allow, permitted):
    assert Guard(allow=places(allow)).permits(HOOK, "127.0.0.1", 80) is permitted


@pytest.mark.parametrize(
    ("allow", "permitted"),
    [
        ("64:ff9b::/96", False),
        ("127.0.0.1", True),
        ("hooks.corp.example", True),
    ],
)
def test_what_an_address_leads_to_is_named_by_itself(allow, permitted):
    assert Guard(allow=places(allow)).permits(HOOK, "64:ff9b::7f00:1", 80) is permitted


def test_the_prefix_of_a_translator_is_opened_without_what_is_behind_it():
    opened = Guard(allow=places("64:ff9b:1::/48"))
    assert opened.permits(HOOK, "64:ff9b:1::808:808", 443)
    assert not opened.permits(HOOK, "64:ff9b:1::a00:1", 443)


@pytest.mark.parametrize(
    "deny",
    ["hooks.corp.example", ".corp.example", "8.8.8.0/24", "8.8.8.8", "::ffff:8.8.8.8"],
)
@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_deny_wins_over_all(deny, address):
    denying = Guard(private=True, allow=places("hooks.corp.example 8.8.8.8"), deny=places(deny))
    assert not denying.permits(HOOK, address, 80)


def test_a_denied_name_and_a_denied_literal_are_refused_at_the_edge():
    denying = Guard(deny=places(".corp.example 8.8.0.0/16 localhost"), allow=LOOPBACK)
    assert denying.refuses("https://A.Corp.Example./x")
    assert denying.refuses("https://0x08080808/")
    assert denying.refuses("http://localhost/")
    assert not denying.refuses("http://127.0.0.1/")
    assert not denying.refuses("https://corp.example/")


def test_localhost_may_be_named_by_name_or_by_address():
    for allow in ("localhost", "127.0.0.0/8"):
        assert not Guard(allow=places(allow)).refuses("http://LocalHost.:8080/")
    assert Guard(allow=places("localhost")).refuses("http://127.0.0.1/")


def test_ports_hold_for_all_whatever_is_allowed():
    few = Guard(ports=(443, 8443), allow=places("hooks.corp.example"))
    assert few.refuses(HOOK)
    assert few.refuses("http://8.8.8.8/")
    assert few.refuses("http://hooks.corp.example:8080/")
    assert not few.refuses("https://hooks.corp.example/")
    assert not few.permits(HOOK, "8.8.8.8", 80)
    assert few.permits("https://hooks.corp.example/", "127.0.0.1", 443)


def test_loopback_is_this_machine_in_every_form_that_reaches_it():
    here = Guard(allow=LOOPBACK)
    for host in ("127.0.0.1", "127.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"):
        assert not here.refuses(f"http://{host}:3080/")
    assert here.refuses("http://0.0.0.0:3080/")
    assert here.refuses("http://169.254.169.254/")


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1/8", "10/8", "10.0.0.0/33", "::1/129", "*.corp.example", "http://a.example",
        "a.example:80", "a..example", ".", "a/b", "b\u00fccher.example", "a_b@c", "[::1",
        "fe80::1/x",
        " ".join(f"n{n}" for n in range(1001)),
    ],
)  # fmt: skip
def test_what_is_neither_name_nor_network_is_refused_in_one_line(text):
    with pytest.raises(ValueError) as caught:
        places(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value)


def test_places_are_separated_by_blanks_and_commas():
    assert places(" a.example,.b.example\n10.0.0.0/8 ,, [::1]") == (
        places("a.example") | places(".b.example") | places("10.0.0.0/8") | places("::1")
    )
    assert places("") == Places()


def test_settings_have_one_guard():
    assert guard(True, LOOPBACK, Places(), ()) is guard(True, LOOPBACK, Places(), ())
