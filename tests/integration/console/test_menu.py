"""The menu leads where its viewer may go, and says where they are."""

import pytest

from service.console.console import MENU
from tests.integration.console.browsing import Browser
from tests.keys import make


@pytest.mark.parametrize("scopes", [("read",), ("read", "send"), ("operate",), ("admin",)])
def test_a_key_sees_the_screens_that_it_may_open_and_no_others(api, db, scopes):
    browser = Browser(api)
    key = make(db, *scopes)
    api.read_keys()
    browser.log_in(key)
    page = browser.get("/console")
    for path, name in MENU:
        may_open = browser.get(path).status == 200
        assert (f'<a href="{path}"' in page.text) == may_open, name


def test_the_screen_that_is_shown_is_marked(api):
    browser = Browser(api)
    for path, name in MENU:
        menu = browser.get(path).text.partition("<nav")[2].partition("</nav>")[0]
        assert f'<a href="{path}" aria-current="page">{name}</a>' in menu
        assert menu.count("aria-current") == 1
