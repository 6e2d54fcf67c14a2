"""Road: each stage in the order of the road, with its rate, its batch and its wait."""

from ops.dashboards.road.where_is_it_slow import BOARD

__all__ = ["BOARD"]
