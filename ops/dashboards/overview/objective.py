"""The objective, from the ledger: 30 days, whatever Prometheus remembers."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREEN, RED, Looks, calm_from
from ops.dashboards.overview.chosen import MONTH
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
            Looks(unit="short", empty="Nothing has ended yet", decimals=0),
            sql(
                "select channel, priority, sum(in_time) as in_time, sum(late) as late,\n"
                "  sum(failed) as failed, sum(expired) as expired,\n"
                "  (sum(in_time) / nullif(sum(in_time + late + failed + expired), 0))::float8"
                " as share" + MONTH + "group by channel, priority\norder by share"
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
            Looks(
                unit="percentunit",
                empty="Nothing has ended yet",
                steps=calm_from(0.99, 0.99),
                bottom=0.95,
                top=1,
            ),
            sql(
                "select day::timestamp at time zone 'utc' as time, channel as metric,\n"
                "  (sum(in_time) / nullif(sum(in_time + late + failed + expired), 0))"
                "::float8 as share" + MONTH + "group by day, channel\norder by day",
                series=True,
            ),
            span="30d",
        ),
    ),
)
