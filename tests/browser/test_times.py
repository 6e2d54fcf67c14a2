"""Times are shown where the viewer is, and say in UTC what they are."""

import pytest

from tests.browser.screens import placed
from tests.browser.tab import DESKTOP
from tests.browser.test_screens import FULLY

pytestmark = [pytest.mark.slow, pytest.mark.needs("chromium")]

ZONES = ["Pacific/Kiritimati", "America/St_Johns", "UTC"]
# What a page should show, by the browser's own words for that zone.
WRONG = """
[...document.querySelectorAll("time[datetime]")].filter((element) => {
  const at = new Date(element.dateTime);
  const clock = at.toLocaleTimeString("en-US",
    { timeZone: "ZONE", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const utc = `${at.toISOString().slice(0, 10)} ${at.toISOString().slice(11, 19)}`;
  const title = element.title;
  return !element.textContent.includes(clock) || !title.startsWith(utc) || !title.endsWith("UTC");
}).map((element) => element.outerHTML)
"""


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("path", FULLY)
def test_times_are_those_of_the_viewers_zone(path, zone, seen, open_tab):
    tab = open_tab(seen.api.port)
    tab.look_as(DESKTOP, zone=zone)
    tab.go(placed(path, seen.seeded.states))
    assert tab.js(WRONG.replace("ZONE", zone)) == []
