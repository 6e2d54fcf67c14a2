"""A shop: FastAPI, SQLAlchemy's asyncio, and notifications in the transaction of an order.

pip install fastapi uvicorn 'sqlalchemy[asyncio]' 'psycopg[binary]' ./service/client
DATABASE_URL=postgresql+psycopg://… uvicorn shop:app
"""

import os
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from notification_client import send
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine(os.environ["DATABASE_URL"])
sessions = async_sessionmaker(engine)
app = FastAPI()


class Base(DeclarativeBase):
    """The tables of the shop."""


class Order(Base):
    """What somebody has ordered."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[Decimal]


class NewOrder(BaseModel):
    """The body of POST /orders."""

    id: int
    total: Decimal


async def transaction() -> AsyncIterator[AsyncSession]:
    """Commit when the handler returns, roll back when it raises."""
    async with sessions.begin() as session:
        yield session


Db = Annotated[AsyncSession, Depends(transaction, scope="function")]


@app.post("/orders", status_code=201)
async def place(new: NewOrder, db: Db) -> NewOrder:
    """Place an order: it is there together with its notification, or neither is."""
    order = Order(id=new.id, total=new.total)
    db.add(order)
    await send(
        "webhook",
        "https://example.org/hooks/orders",
        {"order": order.id, "total": str(order.total)},
        reference=f"order-{order.id}",
        db=db,
    )
    if new.total <= 0:
        raise HTTPException(422, "nothing is free")  # and nothing was sent
    return new


@app.get("/orders/{id}/notification")
async def notification(id: int, db: Db) -> dict[str, str | None]:
    """Say what became of an order's notification."""
    query = text("select status, code from notify.outcomes where reference = :reference")
    outcome = (await db.execute(query, {"reference": f"order-{id}"})).one_or_none()
    if outcome is None:
        raise HTTPException(404, "there is none")
    return {"status": outcome.status, "code": outcome.code}
