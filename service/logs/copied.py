"""Says once that the ledger is not at home here, and once that it is again."""

from loguru import logger

from service.home import Home
from service.metrics import Reading


class Copied:
    """Knows what one role found last. `gauge` shows it: 1, the ledger is not at home for it."""

    def __init__(self, environment: str | None, gauge: Reading) -> None:
        self._environment = environment
        self._gauge = gauge
        self.is_copy = False

    def see(self, home: Home) -> None:
        """Note what home() said; log it if it has changed."""
        is_copy = not home.is_home
        if is_copy and not self.is_copy:
            fault = home.fault(self._environment)
            logger.error("ledger_is_a_copy", found=f"{fault}: nothing is sent", hint=home.remedy)
        elif self.is_copy and not is_copy:
            logger.info("ledger_is_at_home")
        self.is_copy = is_copy
        self._gauge.set(is_copy)
