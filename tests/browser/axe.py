"""What axe-core finds on a page: whom it keeps out, and where."""

import json

from tests.browser.tab import Tab
from tests.selection import AXE

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


def findings(tab: Tab) -> list[str]:
    """Return a line for each element that breaks a rule of WCAG 2.2 AA."""
    assert AXE is not None
    # Its last expression is the library itself, which no protocol could bring back.
    tab.js(f"{AXE.read_text()}; null")
    found = tab.js(
        f"axe.run(document, {{runOnly: {json.dumps(RULES)}, resultTypes: ['violations'],"
        " iframes: false}).then((result) => result.violations.flatMap(({id, nodes}) =>"
        " nodes.map((node) => `${id}: ${node.target}: ${node.failureSummary}`)))"
    )
    return [" ".join(line.split()) for line in found]
