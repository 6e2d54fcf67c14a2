"""A running service, and what its ledger was filled with."""

from dataclasses import dataclass

from tests.browser.seeds import Seeded
from tests.integration.api.serving import Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """An edge with the console."""

    api: Api
    seeded: Seeded
