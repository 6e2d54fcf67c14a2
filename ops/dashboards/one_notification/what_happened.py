"""What happened to it? Its row, its attempts, its story, its log lines."""

from ops.dashboards.board import line, row
from ops.dashboards.looks import BLUE, FAILURES, GREEN, GREY, RED, Looks
from ops.dashboards.one_notification.chosen import (
    SAYS_WHO,
    STATUSES,
    THIS,
)
from ops.dashboards.panels import coloured, log_lines, stat, table
from ops.dashboards.queries import loki, sql

LEDGER_ROW = f"""
select n.channel, n.priority,
  n.attempt::text || ' of ' || coalesce(n.max_attempts::text, '?') as attempt,
  n.producer, n.reference, n.idempotency_key, n.is_test, n.created_at, n.send_at,
  case when n.due_at not between '3000-01-01Z' and '3999-12-31Z' then n.due_at end as due_at,
  n.expires_at, n.lease_until, n.claimed_by,
  n.settled_at, n.last_error_code, n.last_error, n.emptied_at,
  n.transaction_id, n.traceparent, n.repeats,
  octet_length(n.payload::text) as payload_bytes
from notify.notifications n
where n.id = {THIS}
"""

STORY = f"""
select happened.at, happened.what, happened.detail from (
  select n.created_at as at, 0 as place, 'enqueued' as what,
    n.channel || ', priority ' || n.priority::text as detail
  from notify.notifications n where n.id = {THIS}
  union all
  select n.send_at, 1, 'to be sent from', null
  from notify.notifications n where n.id = {THIS} and n.send_at is not null
  union all
  select a.started_at, 2, 'attempt ' || a.attempt::text || ': ' || a.outcome,
    concat_ws(', ', a.code, a.took_ms::text || ' ms', 'by ' || a.worker, a.excerpt)
  from notify.attempts a where a.notification_id = {THIS}
  union all
  select n.settled_at, 3, n.status, n.last_error_code
  from notify.notifications n where n.id = {THIS} and n.settled_at is not null
  union all
  select n.due_at, 4, 'due for attempt ' || (n.attempt + 1)::text, n.last_error_code
  from notify.notifications n where n.id = {THIS} and n.status = 'queued'
    and n.due_at not between '3000-01-01Z' and '3999-12-31Z' -- else it is paused
  union all
  select n.lease_until, 4, 'lease of attempt ' || n.attempt::text || ' ends',
    'held by ' || n.claimed_by
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


ROW = row(
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
            Looks(
                unit="dateTimeFromNow", empty="It is not queued, or paused", steps=[(None, BLUE)]
            ),
            sql(
                "select extract(epoch from n.due_at) * 1000 as due\n"
                "from notify.notifications n\n"
                f"where n.id = {THIS} and n.status = 'queued'"
                " and n.due_at not between '3000-01-01Z' and '3999-12-31Z'"
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
            sql(LEDGER_ROW),
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
