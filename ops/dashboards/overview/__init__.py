"""Overview: can I sleep? If not: since when, and what is it?"""

from ops.dashboards.overview.can_i_sleep import BOARD

__all__ = ["BOARD"]
