"""What panels say when nobody leads."""

from ops.dashboards.looks import BLUE, ORANGE

NOBODY = "No figures: nobody leads"
UNKNOWN = "Not known: nobody leads, or the role may not see it"
TABLES = {"notifications": BLUE, "attempts": ORANGE}
