"""Every screen at the width of a desk and of a phone, light and dark, with and without a mouse."""

import pytest

from tests.browser import axe, keyboard
from tests.browser.screens import placed, screens
from tests.browser.tab import DESKTOP, PHONE
from tests.integration.api.serving import serving

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

SCREENS = screens()
# A screen that has a page for each state is looked at in all ways in two of them.
FULLY = [path for path in SCREENS if "{" not in path or "{failed}" in path or "{sending}" in path]
VIEWS = [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light"), (PHONE, "dark")]
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
WIDTH = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)"


def beyond(tab, width):
    """Name what is wider than the window."""
    return tab.js(
        "[...document.querySelectorAll('body *')].filter((element) => {"
        " const range = document.createRange(); range.selectNodeContents(element);"
        " const right = Math.max(element.getBoundingClientRect().right,"
        " range.getBoundingClientRect().right);"
        f" return right > {width} && !element.closest('.scroll'); }})"
        ".map((element) => element.outerHTML.slice(0, 200)).slice(-5)"
    )


@pytest.mark.needs("axe")
@pytest.mark.parametrize(
    ("path", "view"),
    [(path, view) for path in SCREENS for view in VIEWS if path in FULLY or view == VIEWS[2]],
    ids=lambda value: value if isinstance(value, str) else f"{value[0][0]}-{value[1]}",
)
def test_a_screen_is_without_faults(path, view, seen, open_tab, picture):
    tab = open_tab(seen.api.port)
    tab.look_as(*view)
    tab.go(placed(path, seen.seeded.states))
    picture(tab)
    assert tab.has("main h1")
    width = view[0][0]
    assert tab.js(WIDTH) <= width, beyond(tab, width)
    assert not axe.findings(tab)
    assert not tab.all_faults()
    assert tab.strangers() == []


@pytest.mark.needs("axe")
@SIZES
@pytest.mark.parametrize("path", [path for path in SCREENS if "{" not in path])
def test_a_screen_with_nothing_to_show_is_without_faults(path, size, dsn, open_tab, picture):
    with serving(dsn) as api:
        tab = open_tab(api.port)
        tab.look_as(size)
        tab.go(path)
        picture(tab)
        assert tab.js(WIDTH) <= size[0], beyond(tab, size[0])
        assert not axe.findings(tab)
        assert not tab.all_faults()


@SIZES
@pytest.mark.parametrize("path", FULLY)
def test_tab_comes_to_every_control_and_one_sees_where_it_is(path, size, seen, open_tab):
    tab = open_tab(seen.api.port)
    tab.look_as(size)
    tab.go(placed(path, seen.seeded.states))
    assert not keyboard.walk(tab)


@pytest.mark.parametrize("path", FULLY)
def test_the_first_tab_skips_to_the_content(path, seen, open_tab):
    tab = open_tab(seen.api.port)
    tab.look_as(DESKTOP)
    tab.go(placed(path, seen.seeded.states))
    if tab.has("[autofocus]"):
        tab.js("document.activeElement.blur()")
        tab.js("document.body.focus()")
    tab.press("Tab")
    assert tab.js("document.activeElement.className") == "skip"
    tab.press("Enter")
    assert tab.js("document.activeElement.id") == "main"


@pytest.mark.needs("axe")
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: f"{view[0][0]}-{view[1]}")
def test_a_page_that_is_not_there_is_a_page(view, seen, open_tab, picture):
    tab = open_tab(seen.api.port)
    tab.look_as(*view)
    tab.go("/console/nowhere")
    picture(tab)
    assert tab.has("nav[aria-label=Screens]")
    assert not axe.findings(tab)
    assert [fault for fault in tab.all_faults() if "404" not in fault] == []
    tab.during_load(lambda: tab.click("main a"))
    assert tab.js("location.pathname") == "/console"
