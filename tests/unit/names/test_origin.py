import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.names.origin import origin, server


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example",
        "HTTP://HOOKS.example/a/b?c#d",
        "http://hooks.example:80",
        "http://hooks.example:080/x",
        "http://hooks.example:00080",
        "http://hooks.example:",
        "http://hooks.example./",
        "http://hooks.example.:80",
        "http://user:secret@hooks.example/",
        "http://a@b@hooks.example:80?x=@other.example",
        "http://hooks.example\\@other.example/",
    ],
)
def test_one_receiver_has_one_origin_however_it_is_spelled(url):
    assert origin(url) == "http://hooks.example"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://h:443/", "https://h"),
        ("https://h:80/", "https://h:80"),
        ("https://h:0443/", "https://h"),
        ("http://h:08080/", "http://h:8080"),
        ("http://[::1]:80/", "http://[::1]"),
        ("http://[0:0:0:0::0001]:8080/", "http://[::1]:8080"),
        ("http://[2001:DB8::A]/", "http://[2001:db8::a]"),
        ("http://[::ffff:127.0.0.1]/", "http://127.0.0.1"),
        ("http://[::ffff:7f00:1]/", "http://127.0.0.1"),
        ("http://127.0.0.1.:3080/", "http://127.0.0.1:3080"),
        ("http://256.1.1.1/", "http://256.1.1.1"),
        ("http://1.2.3.4.5/", "http://1.2.3.4.5"),
    ],
)
def test_ports_and_addresses_have_one_spelling(url, expected):
    assert origin(url) == expected


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.1", "0177.0.0.1", "2130706433", "0x7F000001", "127.0.1", "017700000001"]
)
def test_a_number_is_the_address_that_the_system_takes_it_for(host):
    assert socket.inet_ntoa(socket.inet_aton(host)) == "127.0.0.1"
    assert origin(f"http://{host}/") == "http://127.0.0.1"


@pytest.mark.parametrize(
    "host", ["0o17.1", "0o0o17.1", "0x0x7f.1", "0b1", "0_1", "1_0.1", "0x_1", "08", "\u0661"]
)
def test_what_only_python_reads_as_a_number_is_a_name(host):
    with pytest.raises((OSError, UnicodeError)):
        socket.inet_aton(host)
    found = server(f"http://{host}/")
    assert found is not None
    assert (found.origin, found.name) == (f"http://{host}", host)


@pytest.mark.parametrize("url", ["", "h", "mailto:a@b", "http://", "http:///x", "http://:80/"])
def test_what_has_no_host_has_no_origin(url):
    assert origin(url) is None


@given(
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z]", fullmatch=True),
    st.text(st.characters(codec="utf-8"), max_size=30),
    st.sampled_from(["/", "?", "#", "\\"]),
)
def test_nothing_after_the_authority_is_part_of_it(host, rest, mark):
    assert origin(f"https://{host}{mark}{rest}") == f"https://{host}"


@given(st.text(max_size=60))
def test_an_origin_of_anything_is_its_own_origin(text):
    found = origin(text)
    assert found is None or origin(found) == found
