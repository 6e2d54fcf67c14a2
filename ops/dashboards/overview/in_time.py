"""What was sent in time, by the ledger's own count of 30 days."""

from ops.dashboards.looks import Looks, calm_from

NOTHING_ENDED = "Nothing has ended yet"
SHARE_OVER_TIME = Looks(
    unit="percentunit", empty=NOTHING_ENDED, steps=calm_from(0.99, 0.99), bottom=0.95, top=1
)
SHARE = "(sum(in_time) / nullif(sum(in_time + late + failed + expired), 0))::float8 as share"
MONTH = """
from notify.slo_daily
where day > (now() at time zone 'utc')::date - 30
  and channel in (${channel:sqlstring}) and priority::text in (${priority:sqlstring})
"""
