"""What a sandbox's settings are, whatever else was set."""

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network

from service.config.settings import Settings
from service.home import SANDBOX
from service.names.guard import Places

IPV4, IPV6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")
ANYWHERE = Places(networks=(IPV4, IPV6))


def sandboxed(settings: Settings) -> Settings:
    """Name the ledger a sandbox's, and take any recipient."""
    return replace(
        settings,
        environment=SANDBOX,
        webhook_allow=ANYWHERE,
        webhook_deny=Places(),
        webhook_ports=(),
        webhook_proxy_url=None,
    )
