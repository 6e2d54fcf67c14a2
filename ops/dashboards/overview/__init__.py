"""Overview: can I sleep? If not: since when, and what is it?"""

from ops.dashboards.board import Board
from ops.dashboards.overview import can_i_sleep, in_and_out, objective, what_is_full
from ops.dashboards.variables import CHANNEL, PRIORITY

BOARD = Board(
    uid="notify-overview",
    title="notify: Overview",
    about="Can I sleep? If not: since when, and what is it? Where it is slow: Road.",
    variables=[CHANNEL, PRIORITY],
    rows=[can_i_sleep.ROW, in_and_out.ROW, what_is_full.ROW, objective.ROW],
)
