"""What the panels of every stage have in common: their filters and looks."""

from ops.dashboards.looks import BLUE, GREEN, ORANGE, PER_SECOND, RED, Looks

CHOSEN = '{channel=~"$channel", instance=~"$instance"}'
HERE = '{instance=~"$instance"}'
NOTIFY = '{route="/notify", instance=~"$instance"}'
LANES = {"priority 0": RED, "priority 1": ORANGE, "priority 2": GREEN, "priority 3": BLUE}

IDLE = "Nothing came by"
RATE = Looks(unit=PER_SECOND, empty=IDLE)
BATCH = Looks(unit="suffix: rows", empty=IDLE, colours={"mean": GREEN, "p99": RED}, decimals=1)
