"""The objective, from the ledger: 30 days, whatever Prometheus remembers."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREEN, RED, Looks
from ops.dashboards.overview.in_time import MONTH, NOTHING_ENDED, SHARE, SHARE_OVER_TIME
from ops.dashboards.panels import lines, table
from ops.dashboards.queries import sql

ROW = row(
    "The objective, from the ledger",
    line(
        8,
        table(
            "By channel and priority, 30 days",
            "What ended in the last 30 days, and the share sent within 10 s of falling due. "
            "Below 99 %: open the channel and priority above.",
            Looks(unit="short", empty=NOTHING_ENDED, decimals=0),
            sql(
                "select channel, priority, sum(in_time) as in_time, sum(late) as late,\n"
                "  sum(failed) as failed, sum(expired) as expired,\n"
                f"  {SHARE}" + MONTH + "group by channel, priority\norder by share"
            ),
            {
                "share": {
                    "unit": "percentunit",
                    "decimals": 2,
                    "custom.cellOptions": {"type": "color-text"},
                    "thresholds": {
                        "mode": "absolute",
                        "steps": [{"color": RED, "value": None}, {"color": GREEN, "value": 0.99}],
                    },
                }
            },
        ),
        lines(
            "Sent in time, by day",
            "The share of each day (UTC), by channel, over the last 30 days whatever is chosen "
            "above. Red line: the objective.",
            SHARE_OVER_TIME,
            sql(
                "select day::timestamp at time zone 'utc' as time, channel as metric,\n"
                f"  {SHARE}" + MONTH + "group by day, channel\norder by day",
                series=True,
            ),
            span="30d",
        ),
    ),
)
