"""What others write is shown as they wrote it, and does nothing."""

from urllib.parse import quote

import pytest

from tests.browser import hostile
from tests.browser.screens import placed, screens
from tests.browser.tab import DESKTOP, PHONE
from tests.browser.test_screens import WIDTH, beyond

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

WIDE = [path for path in screens() if "{" not in path]
ONE = sorted({path.split("{")[0] + "{id}" for path in screens() if "{" in path})


def assert_harmless(tab, size):
    """Hold that nothing on the page ran, became an element, left it, or went beyond its edges."""
    assert not tab.dialogs
    assert tab.js("window.ran") is None
    assert tab.js("document.querySelectorAll('[data-xss]').length") == 0
    assert tab.js("document.title").endswith("Notifications")
    assert tab.strangers() == []
    assert not tab.all_faults()
    text = tab.text()
    assert hostile.SUM_RUN not in text
    assert hostile.OVERRIDE not in text
    assert hostile.ISOLATE not in text
    assert tab.js(WIDTH) <= size[0], beyond(tab, size[0])


def touch_everything(tab):
    """Move over, and put the focus into, whatever there is: some attributes wait for it."""
    tab.js(
        "for (const element of document.querySelectorAll('main *')) {"
        " element.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}));"
        " element.focus?.({preventScroll: true}); }"
    )


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", WIDE)
def test_a_screen_full_of_hostile_texts(path, size, attacked, open_tab, picture):
    tab = open_tab(attacked.api.port)
    tab.look_as(size)
    tab.go(path)
    touch_everything(tab)
    picture(tab)
    assert_harmless(tab, size)


@pytest.mark.parametrize("path", ONE)
def test_a_screen_of_each_hostile_notification(path, attacked, open_tab, picture):
    tab = open_tab(attacked.api.port)
    tab.look_as(PHONE)
    for id in attacked.seeded.hostile.values():
        tab.go(placed(path, {"id": id}))
        touch_everything(tab)
        assert_harmless(tab, PHONE)
    picture(tab)


def test_the_headers_of_a_hostile_mail_are_shown(attacked, open_tab):
    tab = open_tab(attacked.api.port)
    tab.go(f"/console/notifications/{attacked.seeded.hostile['mail']}")
    headers = tab.text("h3 + pre:not([id])")
    assert "From: Ours <us@example.org>" in headers
    for name in ("script", "htmx", "double"):
        assert f"X-{name}: {hostile.SHORT[name].split()[0]}" in headers


@pytest.mark.parametrize("path", WIDE)
def test_hostile_words_in_the_address(path, attacked, open_tab):
    tab = open_tab(attacked.api.port)
    tab.look_as(PHONE)
    words = [quote(text, safe="")[:1200] for text in hostile.SHORT.values()]  # longer is no request
    for name, *values in batched(words, 4):
        pairs = zip(["status", "reference", "next"], values, strict=False)
        tab.go(f"{path}?{name}=x&{'&'.join(map('='.join, pairs))}")
        assert not tab.dialogs
        assert tab.js("document.querySelectorAll('[data-xss]').length") == 0
        assert tab.js("window.refusedByPolicy") == []
        assert tab.js(WIDTH) <= PHONE[0], beyond(tab, PHONE[0])


def batched(items, size):
    """Give as many at a time."""
    return [items[place : place + size] for place in range(0, len(items), size)]
