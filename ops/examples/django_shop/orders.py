"""Place an order and roll one back: `python orders.py`. Later: `python orders.py 1`."""

import os
import sys
from decimal import Decimal

import django
from django.core.mail import send_mail
from django.db import connection, transaction
from notification_client import send

django.setup()

from shop.models import Order  # noqa: E402 - Django is to know its apps first

HOOK = os.environ.get("HOOK", "https://example.org/hooks/orders")


@transaction.atomic
def place(email: str, total: Decimal) -> Order:
    """Place an order: it is there together with its mail and its webhook, or none of them is."""
    order = Order.objects.create(email=email, total=total)
    send_mail(f"Order {order.id}", "It is on its way.", None, [email])
    send("webhook", HOOK, {"order": order.id, "total": str(total)}, reference=f"order-{order.id}")
    if total <= 0:
        raise ValueError("nothing is free")
    return order


def outcome(order_id: int) -> str:
    """Say what became of an order's webhook."""
    with connection.cursor() as cursor:
        query = "select status from notify.outcomes where reference = %s"
        cursor.execute(query, [f"order-{order_id}"])
        return str(cursor.fetchone()[0])


if __name__ == "__main__":
    if sys.argv[1:]:
        print(outcome(int(sys.argv[1])))
    else:
        print("order", place("ada@example.org", Decimal("99.50")).id)
        try:
            place("bob@example.org", Decimal(0))
        except ValueError as error:
            print("rolled back:", error)
