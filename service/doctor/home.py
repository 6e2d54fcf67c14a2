"""Whether the ledger is at home where we found it."""

from service.doctor.finding import Finding
from service.home import Home
from service.ledger.store import Store


async def home_finding(store: Store, environment: str | None) -> Finding:
    """Judge whether anything is sent from here, for roles with our ENVIRONMENT."""
    return judged_home(await store.home(environment), environment)


def judged_home(home: Home, environment: str | None) -> Finding:
    """Judge what home() said."""
    if not home.is_home:
        found = f"{home.fault(environment)}, and nothing is sent"
        return Finding("home", found, home.remedy)
    if home.environment is None:
        return Finding("home", "here: ENVIRONMENT is not declared, so server and database decide")
    if not home.is_place:
        moved = "on another server than before, or its database has another name"
        return Finding("home", f"{home.environment}, {moved}")
    return Finding("home", f"{home.environment}, here")
