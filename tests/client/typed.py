"""What a program writes, for mypy and pyright: it is read by them, and never run.

Each `assert_type` fails where send() would be taken for what it is not.
"""

from collections.abc import Coroutine
from typing import Any, assert_type
from uuid import UUID

import psycopg
from notification_client import Client, send, send_many
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session


def sync(a: psycopg.Connection[Any], b: psycopg.Cursor[Any], c: Session, d: Connection) -> None:
    assert_type(send("log", "r", {}, db=a), UUID)
    assert_type(send("log", "r", {}, db=b), UUID)
    assert_type(send("log", "r", {}, db=c), UUID)
    assert_type(send("log", "r", {}, db=d, reference="x", priority=0), UUID)
    assert_type(send("log", "r", {}), UUID)
    assert_type(send_many([{"channel": "log"}], db=a), list[UUID])
    assert_type(send_many([], db=c), list[UUID])


async def later(
    a: psycopg.AsyncConnection[Any], b: psycopg.AsyncCursor[Any], c: AsyncSession,
    d: AsyncConnection,
) -> None:  # fmt: skip
    assert_type(await assert_type(send("log", "r", {}, db=a), Coroutine[Any, Any, UUID]), UUID)
    assert_type(await send("log", "r", {}, db=b), UUID)
    assert_type(await send("log", "r", {}, db=c, idempotency_key="k"), UUID)
    assert_type(await send("log", "r", {}, db=d), UUID)
    assert_type(await send_many([], db=a), list[UUID])
    assert_type(await send_many([], db=c), list[UUID])


def over_http(client: Client) -> None:
    assert_type(client.send("log", "r", {}, max_attempts=3), UUID)
    assert_type(client.send_many([{"channel": "log"}]), list[UUID])
    assert_type(client.get("id")["status"], str)
    assert_type(client.wait("id", 3)["status"], str)


def wrong(a: psycopg.Connection[Any], client: Client) -> None:
    send("log", "r", {}, db=a, tag="x")  # type: ignore[call-overload]  # pyright: ignore
    send("log", "r", {}, db=3)  # type: ignore[call-overload]  # pyright: ignore
    send("log", "r", {}, db=a, priority="high")  # type: ignore[call-overload]  # pyright: ignore
    client.send("log", "r", {}, notify_on_end=True)  # type: ignore[call-arg]  # pyright: ignore
