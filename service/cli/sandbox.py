"""`notify up --sandbox`: everything is sent to the inbox, whatever its recipient.

The API takes any recipient. The worker leads all of it to the inbox (workers/channels/sandbox.py),
and its address guard lets it connect nothing else: two fuses, so that nothing leaves the machine.
"""

import argparse
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

from service.cli.sandboxed import IPV4, IPV6, sandboxed
from service.cli.settings import state_directory
from service.config.settings import Settings
from service.errors import ConfigError
from service.names.guard import Places

HERE = IPv4Network("127.0.0.1/32")
ELSEWHERE = Places(networks=(*IPV4.address_exclude(HERE), IPV6))


def refuse_others(args: argparse.Namespace, settings: Settings) -> None:
    """Refuse what a sandbox cannot be. Raises ConfigError."""
    if args.no_inbox:
        raise ConfigError("--sandbox sends everything to the inbox: leave --no-inbox out")
    if settings.environment is not None:
        raise ConfigError(
            f"ENVIRONMENT={settings.environment}: a sandbox is no such installation, and sends"
            " nothing of it: leave it out (ENVIRONMENT= notify up --sandbox)"
        )


def for_sandbox(settings: Settings) -> Settings:
    """Give a sandbox a ledger of its own, by name and by place, and let the API take anything."""
    state = settings.notify_state or str(own_state(state_directory(settings)))
    return replace(sandboxed(settings), notify_state=state, smtp_url=None)


def own_state(directory: Path) -> Path:
    """Name the state directory of a sandbox beside that of a `notify up` without one."""
    return directory.with_name(f"{directory.name}-sandbox")


def for_its_worker(settings: Settings, port: int) -> Settings:
    """Let webhooks connect the inbox on a port of this machine, and nothing else."""
    return replace(
        settings,
        webhook_allow=Places(networks=(HERE,)),
        webhook_deny=ELSEWHERE,
        webhook_ports=(port,),
    )
