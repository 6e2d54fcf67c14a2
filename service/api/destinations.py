"""GET /destinations: where notifications went in the last hour, and how that was."""

from dataclasses import asdict

from aiohttp import web

from service.api.json_answer import json_response
from service.api.views import DestinationList, DestinationView
from service.http.query import Parameters, parameters
from service.ledger.figure_store import FigureStore
from service.ledger.read_store import ReadStore

ROWS = 100
ROWS_MAX = 200


class DestinationsHandler:
    """Answer what the workers counted."""

    def __init__(self, reads: ReadStore) -> None:
        self._reads = reads

    async def list(self, request: web.Request) -> web.Response:
        """Answer the busiest destinations."""
        rows = parameters(request.query, PARAMETERS).get("limit", ROWS)
        found = await FigureStore(self._reads.pool.connection).destinations(rows)
        return json_response(DestinationList([DestinationView(**asdict(row)) for row in found]))


def limit(text: str) -> int:
    """Parse a number of rows."""
    value = int(text) if len(text) < 4 and text.isascii() and text.isdigit() else 0
    if not 1 <= value <= ROWS_MAX:
        raise ValueError("out of range")
    return value


PARAMETERS: Parameters = {
    "limit": (f"Give a number from 1 to {ROWS_MAX}, once; {ROWS} if left out.", limit),
}
