"""What is chosen at the top of the page, as its queries say it."""

CHOSEN = '{channel=~"$channel"}'
SLO = 'channel=~"$channel", priority=~"$priority"'
NO_FIGURES = "No figures: is Prometheus scraping?"

MONTH = """
from notify.slo_daily
where day > (now() at time zone 'utc')::date - 30
  and channel in (${channel:sqlstring}) and priority::text in (${priority:sqlstring})
"""
