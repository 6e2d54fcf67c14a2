"""One stand for all of chaos: real processes, killed and started again, on servers of their own."""

from collections.abc import Iterator

import pytest

from load.chaos.stand import Stand, scratch_stand


@pytest.fixture(scope="session")
def lasting_stand() -> Iterator[Stand]:
    """Start it once: making a cluster takes seconds."""
    with scratch_stand(apis=1, workers=2) as stand:
        yield stand


@pytest.fixture
def stand(lasting_stand: Stand) -> Stand:
    """Give it whole, and with empty ledgers."""
    lasting_stand.heal()
    lasting_stand.forget()
    return lasting_stand
