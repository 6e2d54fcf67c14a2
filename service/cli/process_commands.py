"""The commands of the system: up, services, migrate, schema, the roles, doctor, top, inbox."""

from typing import Any

from service.cli.arguments import add_inbox_ports, add_json, add_port, add_state, command
from service.cli.values import filled


def add_up(commands: Any) -> None:
    """Describe `notify up`."""
    up = command(commands, "up", "service.cli.up", "run everything in one process",
        "Run API, dispatcher and workers in one process. PostgreSQL and Valkey are started as its "
        "children unless DATABASE_URL / REDIS_URL name others.")  # fmt: skip
    add_state(up)
    add_port(up)
    up.add_argument("--no-inbox", action="store_true", help="do not start the inbox")
    up.add_argument(
        "--sandbox", action="store_true",
        help="for tests: everything goes to the inbox, whatever its recipient; GET /arrivals there "
        "says what arrived",
    )  # fmt: skip
    add_inbox_ports(up, "inbox-")
    up.add_argument(
        "-v", "--verbose", action="store_true", help="the inbox prints headers and bodies too"
    )


def add_services(commands: Any) -> None:
    """Describe `notify services`."""
    services = command(commands, "services", "service.cli.services",
        "run PostgreSQL and Valkey alone",
        "Start the embedded servers, print DATABASE_URL=… and REDIS_URL=… on stdout once both are "
        "ready (a .env as it stands), and run until stopped.")  # fmt: skip
    add_state(services)


def add_roles(commands: Any) -> None:
    """Describe `notify migrate` and `schema`, and the roles that run apart."""
    migrate = command(
        commands, "migrate", "service.cli.roles", "bring DATABASE_URL to the current schema",
        "What `yoyo apply` does, safe for many at once.", function="migrate")  # fmt: skip
    migrate.add_argument(
        "--wait", action="store_true",
        help="change nothing: wait until somebody else has migrated, as long as it takes",
    )  # fmt: skip
    add_json(migrate)
    command(commands, "schema", "service.cli.schema", "print the schema as SQL, for tests",
        "One statement that may run again: psql and any driver loads it into the database of your "
        "tests. Nothing is sent from there. Connects to nothing.")  # fmt: skip
    api = command(commands, "api", "service.cli.roles", "run the HTTP edge",
        "POST /notify and the reads, on PORT; needs DATABASE_URL.", function="api")  # fmt: skip
    add_port(api)
    command(commands, "dispatcher", "service.cli.roles", "run the dispatcher",
        "Fill the ready set, reap, reconcile, set the gauges, keep the partitions. Needs "
        "DATABASE_URL and REDIS_URL. Any number may run: one leads, the others stand by.",
        function="dispatcher")  # fmt: skip
    command(commands, "worker", "service.cli.roles", "run a worker",
        "Claim, send on NUM_THREADS threads, settle; in WORKER_PROCESSES processes. Needs "
        "DATABASE_URL; REDIS_URL makes it quick.", function="worker")  # fmt: skip


def add_doctor(commands: Any) -> None:
    """Describe `notify doctor`."""
    doctor = command(commands, "doctor", "service.cli.examine", "look at everything",
        "Look at database, doorbell, Redis, webhooks and mail; one line each: fine, or what to do. "
        "Changes nothing. Exit code 0: all is fine; 1: something is to be done, or it could not "
        "begin. Without DATABASE_URL it looks at the notify up of this state directory."
    )  # fmt: skip
    add_state(doctor)
    add_json(doctor)


def add_top(commands: Any) -> None:
    """Describe `notify top`."""
    top = command(commands, "top", "service.cli.top", "watch who does what in PostgreSQL",
        "pg_activity on DATABASE_URL, or on another role of the same database (--database-url), "
        "such as notify_ops. The APP column names our roles: notify-api, -disp, -maint, "
        "-work.")  # fmt: skip
    top.add_argument("--database-url", type=filled, metavar="URL", help="instead of DATABASE_URL")
    add_state(top)


def add_inbox(commands: Any) -> None:
    """Describe `notify inbox`."""
    inbox = command(commands, "inbox", "service.cli.inbox", "catch webhooks and mails",
        "A catcher for trying things out: prints a line per arrival, with its signature check "
        "(WEBHOOK_SECRET). A path may ask for an answer: /status/503, /slow/2.5 (seconds); "
        "mail to 550@example.org is refused with 550.")  # fmt: skip
    add_inbox_ports(inbox, "")
    inbox.add_argument("-v", "--verbose", action="store_true", help="print headers and bodies too")
