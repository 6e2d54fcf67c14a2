"""PostgreSQL & Redis: what the ledger and the ready set live on."""

from ops.dashboards.board import Board, line, row
from ops.dashboards.looks import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PER_SECOND,
    RED,
    Looks,
    calm_from,
    calm_until,
    never,
)
from ops.dashboards.panels import lines, stat, table
from ops.dashboards.queries import prom, rate, sql

NOBODY = "No figures: nobody leads"
UNKNOWN = "Not known: nobody leads, or the role may not see it"
TABLES = {"notifications": BLUE, "attempts": ORANGE}

HEALTH = row(
    "PostgreSQL: does anything hold it back?",
    line(
        4,
        stat(
            "NOTIFY queue",
            "Share of PostgreSQL's queue of notices that is in use. Full, every commit "
            "with a NOTIFY fails. Red: a session LISTENs inside an open transaction. "
            "ops/RUNBOOK.md#notifyqueuefilling",
            Looks(unit="percentunit", empty=NOBODY, steps=calm_until(0.1, 0.5), decimals=1),
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
            Looks(unit="suffix: days", empty=NOBODY, steps=calm_from(3, 6)),
            prom("max(db_partitions_ahead_days)"),
        ),
        stat(
            "Rows without a day",
            "Rows in the default partitions, counted up to 1000. They move when their day "
            "is made, hourly. Red for more than an hour: ops/RUNBOOK.md#partitionsrunout",
            Looks(unit="short", empty=NOBODY, steps=calm_until(1, 1000)),
            prom("sum(max by (table) (db_default_partition_rows))"),
        ),
        stat(
            "Are counts exact?",
            "Queued and sending are counted up to 100,000 and estimated above: then they "
            "are as good as the last analyze.",
            Looks(
                unit="short",
                empty=NOBODY,
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
                unit="short", empty=NOBODY, steps=[(None, GREEN), (1_000_000, RED)], colours=TABLES
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
            Looks(unit="bytes", empty=NOBODY, colours=TABLES),
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

POOLS = row(
    "Connections to PostgreSQL",
    line(
        7,
        lines(
            "Connections",
            "Of each pool: used (lent out, or being opened) and idle.",
            Looks(unit="short", empty="No pools are scraped"),
            prom("sum by (pool, state) (db_pool_connections)", "{{pool}} {{state}}"),
            stacked=True,
        ),
        lines(
            "Calls that wait for a connection",
            "Now. Any for long: the pool is too small, or PostgreSQL is slow. "
            "ops/RUNBOOK.md#poolexhausted",
            Looks(unit="short", empty="No pools are scraped", steps=calm_until(1, 10)),
            prom("sum by (pool) (db_pool_requests_waiting)", "{{pool}}"),
        ),
        lines(
            "Time spent waiting",
            "Seconds that calls waited for a connection, per second: 1 is one call that "
            "always waits.",
            Looks(unit="short", empty="No pools are scraped", steps=calm_until(0.5, 2)),
            rate("db_pool_wait_seconds_total", by="pool"),
        ),
        lines(
            "Calls that got none",
            "Given up after 2 s, or because too many waited: the API answers 503. "
            "ops/RUNBOOK.md#enqueueunavailable",
            Looks(unit=PER_SECOND, empty="No pools are scraped", steps=never()),
            rate("db_pool_timeouts_total", by="pool"),
        ),
    ),
)

REDIS = row(
    "Redis: the ready set",
    line(
        7,
        stat(
            "Does Redis answer?",
            "To the leader. No: workers claim straight from PostgreSQL, slower, not "
            "stopped; nothing is lost. ops/RUNBOOK.md#redisdown",
            Looks(
                unit="short",
                empty=NOBODY,
                steps=[(None, RED), (1, GREEN)],
                words={"0": ("No", RED), "1": ("Yes", GREEN)},
            ),
            prom("max(dispatcher_redis_up)"),
        ),
        lines(
            "Memory of Redis",
            "In use, and its limit (none drawn: no limit). The ready set needs a few MB, "
            "whatever the queue: more is somebody else's. ops/RUNBOOK.md#redismemoryhigh",
            Looks(
                unit="bytes",
                empty="No figures: nobody leads, or Redis is away",
                colours={"used": BLUE, "limit": RED},
            ),
            prom("max(dispatcher_redis_memory_bytes)", "used"),
            prom("max(dispatcher_redis_memory_max_bytes) > 0", "limit"),
        ),
        lines(
            "Ready set by priority",
            "Ids that wait for a claim; at most 10,000 each, filled again below 5,000.",
            Looks(unit="short", empty="No figures: nobody leads, or Redis is away"),
            prom("max by (priority) (dispatcher_ready_set_depth)", "priority {{priority}}"),
            stacked=True,
        ),
        lines(
            "Offered and claimed",
            "Ids put into the ready set, and rows claimed. Claims above offers: workers "
            "claim for themselves, because hints are missing. lost: came back without a "
            "claim. ops/RUNBOOK.md#lostidsfound",
            Looks(
                unit=PER_SECOND,
                empty="No figures: is Prometheus scraping?",
                colours={"offered": BLUE, "claimed": GREEN, "lost": RED},
            ),
            rate("dispatcher_offered_total", "offered"),
            rate("worker_jobs_picked_up_total", "claimed"),
            rate("reconciler_lost_total", "lost"),
        ),
    ),
)

JOBS = row(
    "The leader's jobs",
    line(
        7,
        lines(
            "Since each job last succeeded",
            "reaper and reconciler run each minute at least, gauges every 5 s, slo every "
            "few seconds, partitions hourly. One that rises past its interval fails: the "
            "log says why. ops/RUNBOOK.md#reapernotrunning",
            Looks(unit="s", empty=NOBODY),
            prom("time() - (max by (name) (job_last_success_timestamp_seconds) > 0)", "{{name}}"),
            logarithmic=True,
        ),
        lines(
            "Runs per minute",
            "Of the reaper (which also comes when a lease passes) and of the reconciler. "
            "0: nobody leads, or it hangs. ops/RUNBOOK.md#reapernotrunning",
            Looks(unit="short", empty="No dispatcher is scraped"),
            prom("60 * sum(rate(reaper_runs_total[5m]))", "reaper"),
            prom("60 * sum(rate(reconciler_runs_total[5m]))", "reconciler"),
        ),
        table(
            "What runs",
            "Every process with its build. Two versions for longer than a deploy: one was "
            "forgotten. Another schema than the ledger's: run notify migrate.",
            Looks(unit="string", empty="No figures: is Prometheus scraping?", steps=[(None, GREY)]),
            prom("max by (role, instance, version, schema) (notify_build_info)", table=True),
            hidden=["Time", "Value"],
        ),
    ),
)

BOARD = Board(
    uid="notify-postgres-redis",
    title="notify: PostgreSQL & Redis",
    about="What the ledger and the ready set live on: what holds them back, and who.",
    rows=[HEALTH, POOLS, REDIS, JOBS],
    since="now-12h",
)
