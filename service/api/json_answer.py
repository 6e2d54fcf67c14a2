"""An answer in JSON, made from a type."""

import msgspec
from aiohttp import web


def json_response(value: msgspec.Struct, status: int = 200) -> web.Response:
    """Render a document."""
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        headers={"Content-Type": "application/json"},
    )
