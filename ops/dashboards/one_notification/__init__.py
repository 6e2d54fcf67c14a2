"""One notification: its row, its attempts and its log lines, by id or by reference."""

from ops.dashboards.one_notification.what_happened import BOARD

__all__ = ["BOARD"]
