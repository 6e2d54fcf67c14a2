"""`notify COMMAND`: every command, in the order of the help."""

import argparse
from typing import Any, NoReturn

from service.cli.api_commands import add_destinations, add_explain, add_list, add_send, add_status
from service.cli.arguments import ENVIRONMENT
from service.cli.ledger_commands import add_adopt, add_keys, add_privacy
from service.cli.mistakes import Parser
from service.cli.operator_commands import (
    add_cancel,
    add_pauses,
    add_probe,
    add_redrive,
    add_send_again,
)
from service.cli.process_commands import (
    add_doctor,
    add_inbox,
    add_roles,
    add_services,
    add_top,
    add_up,
)

EXAMPLES = """examples:
  notify up                                   everything, here and now
  notify send webhook http://127.0.0.1:3080/hi '{"hello": "world"}'
  notify send email ada@example.org --subject Hello --text "It works."
  notify status 019a0b6e-2f31-7c11-9d5e-7a4b1c2d3e4f
  notify send log me '{}' --wait
  notify list --status failed
  notify redrive --channel webhook --code 503 --dry-run

exit codes: 0 done; 1 not done, and one line says why; 2 the command line is wrong; 130 Ctrl-C;
141 nobody reads what is printed. `notify doctor` and `notify send --wait` have more to say by them.

Tab completes commands and options in bash and zsh after this line in ~/.bashrc or ~/.zshrc:
eval "$(register-python-argcomplete notify)"
NOTIFY_DEBUG=1 shows where a fault of this program happened.
"""


def parser() -> Parser:
    """Describe every command."""
    root = Parser(
        prog="notify",
        description="Durable notifications on PostgreSQL: enqueue by HTTP or INSERT, delivered at "
        f"least once. {ENVIRONMENT}",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action=Version, nargs=0, help="print it, and end")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    root.commands = commands.choices

    add_up(commands)
    add_services(commands)
    add_roles(commands)
    add_doctor(commands)
    add_adopt(commands)
    add_top(commands)
    add_inbox(commands)
    add_send(commands)
    add_status(commands)
    add_explain(commands)
    add_list(commands)
    add_destinations(commands)
    add_cancel(commands)
    add_send_again(commands)
    add_redrive(commands)
    add_pauses(commands)
    add_probe(commands)
    add_keys(commands)
    add_privacy(commands)
    return root


class Version(argparse.Action):
    """Look the version up only when it is asked for: that takes longer than to parse."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from service.process.distribution import DISTRIBUTION, installed_version

        print(f"notify {installed_version()} ({DISTRIBUTION})")
        parser.exit()
