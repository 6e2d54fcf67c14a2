"""One notification: its row, its attempts and its log lines, by id or by reference."""

from ops.dashboards.board import Board, line, row
from ops.dashboards.looks import (
    BLUE,
    FAILURES,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Looks,
)
from ops.dashboards.panels import coloured, log_lines, stat, table
from ops.dashboards.queries import loki, sql
from ops.dashboards.variables import found, textbox

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
NOTIFICATION = found(
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
BY_REFERENCE = f"""
select n.id::text as id, n.status, n.channel, n.priority, n.attempt, n.created_at, n.settled_at,
  n.last_error_code,
  (extract(epoch from n.created_at) * 1000)::bigint - 600000 as from_ms,
  (extract(epoch from coalesce(n.settled_at, n.due_at, now())) * 1000)::bigint + 600000 as until_ms
from notify.notifications n
where n.reference = {typed("reference")}
order by n.id desc
limit 100
"""

ROW = f"""
select n.channel, n.priority, n.attempt || ' of ' || coalesce(n.max_attempts::text, '?') as attempt,
  n.reference, n.created_at, n.send_at, n.due_at, n.expires_at, n.lease_until, n.claimed_by,
  n.settled_at, n.last_error_code, n.last_error, octet_length(n.payload::text) as payload_bytes
from notify.notifications n
where n.id = {THIS}
"""

STORY = f"""
select happened.at, happened.what, happened.detail from (
  select n.created_at as at, 0 as place, 'enqueued' as what,
    n.channel || ', priority ' || n.priority as detail
  from notify.notifications n where n.id = {THIS}
  union all
  select n.send_at, 1, 'to be sent from', null
  from notify.notifications n where n.id = {THIS} and n.send_at is not null
  union all
  select a.started_at, 2, 'attempt ' || a.attempt || ': ' || a.outcome,
    concat_ws(', ', a.code, a.took_ms || ' ms', 'by ' || a.worker, a.excerpt)
  from notify.attempts a where a.notification_id = {THIS}
  union all
  select n.settled_at, 3, n.status, n.last_error_code
  from notify.notifications n where n.id = {THIS} and n.settled_at is not null
  union all
  select n.due_at, 4, 'due for attempt ' || n.attempt + 1, n.last_error_code
  from notify.notifications n where n.id = {THIS} and n.status = 'queued'
  union all
  select n.lease_until, 4, 'lease of attempt ' || n.attempt || ' ends', 'held by ' || n.claimed_by
  from notify.notifications n where n.id = {THIS} and n.status = 'sending'
) happened
order by happened.at, happened.place
"""

ATTEMPTS = f"""
select a.attempt, a.started_at, a.took_ms, a.outcome, a.code, a.excerpt, a.worker
from notify.attempts a
where a.notification_id = {THIS}
order by a.attempt
"""

ANSWER = row(
    "What happened to it?",
    line(
        4,
        stat(
            "Status",
            "Where it stands. failed: the attempts say why; mend that, then redrive it. "
            "queued for long: 'Due' says when it is its turn. "
            "ops/RUNBOOK.md#deadlettersrising",
            Looks(unit="string", empty=SAYS_WHO, steps=[(None, GREY)], words=STATUSES),
            sql(f"select n.status from notify.notifications n where n.id = {THIS}"),
            text=True,
        ),
        stat(
            "Attempts made",
            "Ended attempts. Each may have reached its receiver; all of them carry the "
            "same id. More than one that was sent or unknown: it may have arrived twice.",
            Looks(unit="short", empty=SAYS_WHO, steps=[(None, BLUE)]),
            sql(
                "select (select count(*) from notify.attempts a"
                f" where a.notification_id = {THIS}) as attempts\n"
                f"from notify.notifications n where n.id = {THIS}"
            ),
        ),
        stat(
            "Took",
            "From when it could first be sent to its end, or to now. Red: longer than the "
            "objective.",
            Looks(unit="s", empty=SAYS_WHO, steps=[(None, GREEN), (10, RED)], decimals=1),
            sql(
                "select extract(epoch from coalesce(n.settled_at, clock_timestamp())\n"
                "  - greatest(n.created_at, n.send_at))::float8 as took\n"
                f"from notify.notifications n where n.id = {THIS}"
            ),
        ),
        stat(
            "Due",
            "When the next attempt may begin; it is empty once it has ended. In the past "
            "and still queued: the road is slow, see Road. ops/RUNBOOK.md#oldestduetooold",
            Looks(unit="dateTimeFromNow", empty="It is not queued", steps=[(None, BLUE)]),
            sql(
                "select extract(epoch from n.due_at) * 1000 as due\n"
                "from notify.notifications n\n"
                f"where n.id = {THIS} and n.status = 'queued'"
            ),
        ),
    ),
    line(
        9,
        table(
            "Its story",
            "What happened, in order, and what comes next.",
            Looks(unit="string", empty=SAYS_WHO, steps=[(None, GREY)]),
            sql(STORY),
            {"at": {"unit": "dateTimeAsIso", "custom.width": 180}, "what": {"custom.width": 220}},
        ),
        table(
            "Its attempts",
            "Each ended attempt with the receiver's answer. permanent: the receiver refused "
            "for good, redriving alone cannot help. lease_expired: its worker died. "
            "ops/RUNBOOK.md#deadlettersrising",
            Looks(unit="string", empty="No attempt has ended", steps=[(None, GREY)]),
            sql(ATTEMPTS),
            {
                "attempt": {"custom.width": 70},
                "started_at": {"custom.width": 180},
                "took_ms": {"unit": "ms", "custom.width": 90},
                "outcome": coloured({"sent": GREEN, **FAILURES}) | {"custom.width": 110},
                "code": {"custom.width": 110},
            },
        ),
    ),
    line(
        5,
        table(
            "Its row",
            "As the ledger has it, without its payload. A recipient is asked of "
            "GET /notifications/{id}, by who may know it.",
            Looks(unit="string", empty=SAYS_WHO, steps=[(None, GREY)]),
            sql(ROW),
            {"payload_bytes": {"unit": "bytes"}, "last_error_code": {"custom.width": 130}},
        ),
    ),
    line(
        10,
        log_lines(
            "Its log lines",
            "What every role said of it, oldest first, within the time range above: widen it if "
            "it is older. No lines at all: ops/RUNBOOK.md#loglinesdropped",
            Looks(
                unit="string",
                empty="No line names it: widen the time range, or choose one",
                steps=[(None, GREY)],
            ),
            loki(
                '{app="notify"} |= `$notification` | json'
                " | line_format `{{.role}}: {{.event}}"
                "{{if .attempt}}, attempt {{.attempt}}{{end}}"
                "{{if .outcome}}, {{.outcome}} {{.code}}{{end}}"
                "{{if .due_in_s}}, due in {{.due_in_s}} s{{end}}`"
            ),
        ),
    ),
)

WITH_REFERENCE = row(
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

BOARD = Board(
    uid="notify-one",
    title="notify: One notification",
    about="What happened to X? Give its id or its reference; the role in PostgreSQL only reads.",
    variables=[
        textbox("id", "Id", "A notification's id; it goes before the reference"),
        textbox("reference", "Reference", "What its sender calls it; the newest 100 are offered"),
        NOTIFICATION,
    ],
    rows=[ANSWER, WITH_REFERENCE],
    since="now-24h",
    refresh="",
)
