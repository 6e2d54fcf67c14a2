"""Whether a page works without a mouse: Tab comes to everything, and one sees where one is."""

from typing import Any

from tests.browser.tab import Tab

# Within such a field Tab goes from part to part, and the browser itself marks each of them.
PARTED = "[type=date], [type=time], [type=datetime-local]"
# So it does within a frame, as soon as what is in it has come.
HAS_PARTS = f"{PARTED}, iframe"
PARTS_MAX = 9
# All that one should come to: shown, not disabled, and of a group of radio buttons the chosen one.
CONTROLS = """
window.controls = [...document.querySelectorAll(
  "a[href], button, input, select, textarea, summary, iframe, [tabindex]")].filter((element) =>
  element.tabIndex >= 0 && !element.disabled && element.type !== "hidden"
  && element.checkVisibility({ visibilityProperty: true })
  && !(element.type === "radio" && !element.checked
    && document.querySelector(`input[type=radio][name="${element.name}"]:checked`)))
"""
# Where the focus is, and whether one sees it: it has an outline, and is in the window.
FOCUS = """
(() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    place: window.controls.indexOf(element),
    name: element.outerHTML.slice(0, 120),
    isSeen: (element.matches("PARTED")
        || style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2)
      && box.width > 0 && box.height > 0
      && box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight,
  };
})()
""".replace("PARTED", PARTED)


def walk(tab: Tab) -> list[str]:
    """Press Tab through the page; returns a line for each control not reached, or not seen."""
    tab.hold_still()
    count = tab.js(f"{CONTROLS}; window.controls.length")
    parted = tab.js(f"document.querySelectorAll('{HAS_PARTS}').length")
    unseen: list[str] = []
    reached: set[int] = set()
    for _ in range(count + 1 + parted * PARTS_MAX):
        tab.press("Tab")
        focus: dict[str, Any] = tab.js(FOCUS)
        reached.add(focus["place"])
        if focus["place"] >= 0 and not focus["isSeen"]:
            unseen.append(f"no focus to be seen: {focus['name']}")
    missed = [
        tab.js(f"window.controls[{place}].outerHTML.slice(0, 120)")
        for place in range(count)
        if place not in reached
    ]
    return unseen + [f"Tab never comes to: {name}" for name in missed]
