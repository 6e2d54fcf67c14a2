"""PostgreSQL: does anything hold it back?"""

from ops.dashboards.board import line, row
from ops.dashboards.looks import (
    BLUE,
    GREEN,
    NOBODY_LEADS,
    ORANGE,
    RED,
    Looks,
    calm_from,
    calm_until,
)
from ops.dashboards.panels import lines, stat, table
from ops.dashboards.queries import prom, sql

UNKNOWN = "Not known: nobody leads, or the role may not see it"
TABLES = {"notifications": BLUE, "attempts": ORANGE}

ROW = row(
    "PostgreSQL: does anything hold it back?",
    line(
        4,
        stat(
            "NOTIFY queue",
            "Share of PostgreSQL's queue of notices that is in use. Full, every commit "
            "with a NOTIFY fails. Red: a session LISTENs inside an open transaction. "
            "ops/RUNBOOK.md#notifyqueuefilling",
            Looks(unit="percentunit", empty=NOBODY_LEADS, steps=calm_until(0.1, 0.5), decimals=1),
            prom("max(db_notify_queue_usage_ratio)"),
        ),
        stat(
            "Oldest transaction",
            "Since the longest transaction began. Ours take milliseconds. Red: somebody's "
            "session is idle in a transaction; 'Who holds vacuum back?' below says whose. "
            "ops/RUNBOOK.md#transactiontooold",
            Looks(unit="s", empty=UNKNOWN, steps=calm_until(60, 900)),
            prom("max(db_oldest_transaction_age_seconds)"),
        ),
        stat(
            "xmin age",
            "Transactions by which the oldest snapshot holds vacuum back. Red: dead rows "
            "cannot be removed, and every look at the queue gets slower. "
            "ops/RUNBOOK.md#xminagehigh",
            Looks(unit="short", empty=UNKNOWN, steps=calm_until(100_000, 1_000_000)),
            prom("max(db_xmin_age_transactions)"),
        ),
        stat(
            "Days ahead",
            "Days after today (UTC) that have their partition; 7 are made ahead, hourly. "
            "Red: the job fails, and rows will go to the default partition. "
            "ops/RUNBOOK.md#partitionsrunout",
            Looks(unit="suffix: days", empty=NOBODY_LEADS, steps=calm_from(3, 6)),
            prom("max(db_partitions_ahead_days)"),
        ),
        stat(
            "Rows without a day",
            "Rows in the default partitions, counted up to 1000. They move when their day "
            "is made, hourly. Red for more than an hour: ops/RUNBOOK.md#partitionsrunout",
            Looks(unit="short", empty=NOBODY_LEADS, steps=calm_until(1, 1000)),
            prom("sum(max by (table) (db_default_partition_rows))"),
        ),
        stat(
            "Watches' faults",
            "Statements of the last 30 days that a watch with on_error 'skip' could not tell, "
            "counted up to 1000. Red: mend or turn off the watches that "
            "notify.watches shows; why is in notify.watch_faults.",
            Looks(unit="short", empty=NOBODY_LEADS, steps=calm_until(1, 1000)),
            prom("max(db_watch_faults)"),
        ),
        stat(
            "Are counts exact?",
            "Queued and sending are counted up to 100,000 and estimated above: then they "
            "are as good as the last analyze.",
            Looks(
                unit="short",
                empty=NOBODY_LEADS,
                words={"0": ("Exact", GREEN), "1": ("Estimated", ORANGE)},
            ),
            prom("max(db_gauges_are_estimates)"),
        ),
    ),
    line(
        7,
        lines(
            "Dead rows",
            "Versions of rows that vacuum has not removed yet, in all partitions. A saw is "
            "right. Rising without end: see xmin age. ops/RUNBOOK.md#xminagehigh",
            Looks(
                unit="short",
                empty=NOBODY_LEADS,
                steps=[(None, GREEN), (1_000_000, RED)],
                colours=TABLES,
            ),
            prom("max by (table) (db_dead_tuples)", "{{table}}"),
        ),
        lines(
            "What holds vacuum back",
            "Age of the oldest transaction, in seconds. A ramp is one session that does "
            "not end. ops/RUNBOOK.md#transactiontooold",
            Looks(unit="s", empty=UNKNOWN, steps=[(None, GREEN), (900, RED)]),
            prom("max(db_oldest_transaction_age_seconds)", "oldest transaction"),
        ),
        lines(
            "Size",
            "All partitions with their indexes. Whole days are dropped after "
            "RETENTION_DAYS; the disk needs room for one more day than that.",
            Looks(unit="bytes", empty=NOBODY_LEADS, colours=TABLES),
            prom("max by (table) (db_size_bytes)", "{{table}}"),
            stacked=True,
        ),
    ),
    line(
        8,
        table(
            "Partitions",
            "Each day's tables, the newest first: rows and dead rows by statistics, size "
            "with indexes. Dead rows above the live ones in today's: autovacuum lags. "
            "ops/RUNBOOK.md#xminagehigh",
            Looks(unit="string", empty="No partitions: has notify migrate run?"),
            sql(
                """
select s.relname as partition, s.n_live_tup as rows, s.n_dead_tup as dead,
  pg_total_relation_size(s.relid) as bytes,
  greatest(s.last_vacuum, s.last_autovacuum) as vacuumed,
  greatest(s.last_analyze, s.last_autoanalyze) as analyzed
from pg_stat_user_tables s
join pg_inherits i on i.inhrelid = s.relid
where s.schemaname = 'notify'
order by s.relname desc
"""
            ),
            {
                "rows": {"unit": "short"},
                "dead": {"unit": "short"},
                "bytes": {"unit": "bytes"},
                "vacuumed": {"unit": "dateTimeFromNow"},
                "analyzed": {"unit": "dateTimeFromNow"},
            },
        ),
        table(
            "Who holds vacuum back?",
            "Sessions of this database, the oldest snapshot first. Ours are notify-api, -maint, "
            "-disp, -work, and let go within milliseconds. What a session does, and for how "
            "long, notify top tells. ops/RUNBOOK.md#transactiontooold",
            Looks(unit="string", empty="Nobody is connected"),
            sql(
                """
select pid, application_name as application, usename as role, age(backend_xmin) as xmin_age
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
order by age(backend_xmin) desc nulls last, application_name
limit 100
"""
            ),
            {"xmin_age": {"unit": "short"}},
        ),
    ),
)
