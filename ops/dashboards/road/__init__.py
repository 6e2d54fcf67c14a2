"""Road: each stage in the order of the road, with its rate, its batch and its wait."""

from ops.dashboards.board import Board
from ops.dashboards.road import api, claim, dispatcher, repairs, send, settle, where_is_it_slow
from ops.dashboards.variables import CHANNEL, INSTANCE

BOARD = Board(
    uid="notify-road",
    title="notify: Road",
    about="Each stage in the order of the road (ops/ARCHITECTURE.md): where is it slow?",
    variables=[CHANNEL, INSTANCE],
    rows=[
        where_is_it_slow.ROW,
        api.ROW,
        dispatcher.ROW,
        claim.ROW,
        send.ROW,
        settle.ROW,
        repairs.ROW,
    ],
)
