"""One notification: its row, its attempts and its log lines, by id or by reference."""

from ops.dashboards.board import Board
from ops.dashboards.one_notification import by_reference, what_happened
from ops.dashboards.one_notification.chosen import NOTIFICATION
from ops.dashboards.variables import textbox

BOARD = Board(
    uid="notify-one",
    title="notify: One notification",
    about="What happened to X? Give its id or its reference; the role in PostgreSQL only reads.",
    variables=[
        textbox("id", "Id", "A notification's id; it goes before the reference"),
        textbox("reference", "Reference", "What its sender calls it; the newest 100 are offered"),
        NOTIFICATION,
    ],
    rows=[what_happened.ROW, by_reference.ROW],
    since="now-24h",
    refresh="",
)
