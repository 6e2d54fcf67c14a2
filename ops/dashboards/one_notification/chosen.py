"""The notification that is chosen, as queries say it, and the words for its status."""

from ops.dashboards.looks import BLUE, GREEN, ORANGE, RED
from ops.dashboards.variables import ledger_values

# Grafana puts text into SQL; `sqlstring` quotes it. '…'::uuid would be read before any guard, and
# fail; '…'::text::uuid is read after it, and is a constant: only the id's own day is looked at.
IS_UUID = "'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"


def typed(variable: str) -> str:
    """Read a variable as a text, without what a paste brings along."""
    return f"btrim(${{{variable}:sqlstring}}::text, E' \\t\\r\\n')"


def as_uuid(variable: str) -> str:
    """Read a variable as a uuid; null if it is none."""
    text = typed(variable)
    return f"case when {text} ~* {IS_UUID} then {text}::uuid end"


THIS = as_uuid("notification")
SAYS_WHO = "None is chosen, or it is older than RETENTION_DAYS"

# A nil choice at the end: an empty variable would match every line of the log.
NOTIFICATION = ledger_values(
    "notification",
    "Notification",
    f"""
select candidates.id from (
  select 1 as place, ({as_uuid("id")})::text as id
  union all
  (select 2, n.id::text from notify.notifications n
    where {typed("id")} = '' and n.reference = {typed("reference")}
    order by n.id desc limit 100)
  union all
  select 3, '(none)'
) candidates
where candidates.id is not null
order by candidates.place, candidates.id desc
""",
)

STATUSES = {
    "queued": ("queued", BLUE),
    "sending": ("sending", "light-blue"),
    "sent": ("sent", GREEN),
    "failed": ("failed", RED),
    "expired": ("expired", ORANGE),
    "cancelled": ("cancelled", "purple"),
}
