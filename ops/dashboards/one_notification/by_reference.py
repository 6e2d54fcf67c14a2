"""Everything with this reference."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import GREY, Looks
from ops.dashboards.one_notification.chosen import (
    STATUSES,
    typed,
)
from ops.dashboards.panels import coloured, table
from ops.dashboards.queries import sql

BY_REFERENCE = f"""
select n.id::text as id, n.status, n.channel, n.priority, n.attempt, n.created_at, n.settled_at,
  n.last_error_code,
  (extract(epoch from n.created_at) * 1000)::bigint - 600000 as from_ms,
  (extract(epoch from coalesce(n.settled_at, case when n.due_at < '3000-01-01Z' then n.due_at end,
    now())) * 1000)::bigint + 600000 as until_ms
from notify.notifications n
where n.reference = {typed("reference")}
order by n.id desc
limit 100
"""


ROW = row(
    "Everything with this reference",
    line(
        8,
        table(
            "By reference",
            "The newest 100 of the reference above. Click an id to see it, and its hours.",
            Looks(
                unit="string",
                empty="No reference is given, or nothing has it",
                steps=[(None, GREY)],
            ),
            sql(BY_REFERENCE),
            {
                "id": {
                    "custom.width": 320,
                    "links": [
                        {
                            "title": "Show it, and its hours",
                            "url": "/d/notify-one?var-id=${__data.fields.id}"
                            "&var-reference=${reference:percentencode}"
                            "&from=${__data.fields.from_ms}&to=${__data.fields.until_ms}",
                        }
                    ],
                },
                "status": coloured({status: colour for status, (_, colour) in STATUSES.items()}),
                "from_ms": {"custom.hidden": True},
                "until_ms": {"custom.hidden": True},
            },
        ),
    ),
)
