"""What several commands take, and how a command is added."""

import argparse
from typing import Any

from service.cli.values import filled, port_number

ENVIRONMENT = "Settings come from the environment or ./.env; .env.example explains each of them."


def command(
    commands: Any, name: str, module: str, summary: str, description: str, *, function: str = "run"
) -> argparse.ArgumentParser:
    """Add a command; its module is imported only when it is called."""
    added: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=f"{description} {ENVIRONMENT}"
    )
    added.set_defaults(module=module, function=function)
    return added


def add_state(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--state",
        type=filled,
        metavar="DIR",
        help="where the embedded servers keep their data (NOTIFY_STATE)",
    )


def add_port(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--port", type=filled, metavar="N", help="the API's port (PORT, default 3000)"
    )
    command.add_argument(
        "--host", type=filled, metavar="ADDRESS", help="where it listens (HOST, 127.0.0.1)"
    )


def add_inbox_ports(command: argparse.ArgumentParser, prefix: str) -> None:
    for half, port in (("http", 3080), ("smtp", 3025)):
        command.add_argument(
            f"--{prefix}{half}-port",
            type=port_number,
            default=port,
            metavar="N",
            help=f"default: {port}",
        )


def add_url(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--url",
        type=filled,
        metavar="URL",
        help="the API's address (default: http://127.0.0.1:PORT)",
    )


def add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_form(command: argparse.ArgumentParser) -> None:
    """Add --json to a command that prints text on a terminal, and JSON into a pipe."""
    command.add_argument(
        "--json", action=argparse.BooleanOptionalAction, help="print JSON, or text for people"
    )
