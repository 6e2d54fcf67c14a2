"""A browser's session: the names of its cookies."""

import pytest

from service.access.session import COOKIE, cookie_of, named


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:3000", "notify_session_3000"),
        ("[::1]:8080", "notify_session_8080"),
        *(
            (host, "notify_session")
            for host in (
                "", "example.org", "example.org:", "[::1]", "a:b", "a:1;x=2", "a:1=", "a:123456",
                "a:1\n", "a:1 ", "a:\u0661",
            )
        ),
    ],
)  # fmt: skip
def test_a_port_of_digits_is_in_the_name_and_nothing_else(host, name):
    assert named(COOKIE, host) == name


def test_a_cookie_of_another_port_is_none_of_ours():
    cookies = {"notify_session": "a", "notify_session_1": "b"}
    assert cookie_of(cookies, "localhost") == "a"
    assert cookie_of(cookies, "localhost:1") == "b"
    assert cookie_of(cookies, "localhost:2") is None
