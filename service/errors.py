"""The errors that a caller of this package acts on; each layer translates into them once."""


class NotifyError(Exception):
    """Any error that we raise on purpose. Its text is one line for a terminal."""


class ConfigError(NotifyError):
    """A wrong setting: names the variable, its value and what is allowed."""


class StartError(NotifyError):
    """A process cannot start: the state is in use, a port is taken, a server is missing."""


class UnexpectedEnd(NotifyError):
    """Something ended that must not, and cannot be restarted: the process must end, too."""


class DatabaseAway(NotifyError):
    """PostgreSQL cannot be reached, or closed the connection; trying again later is right."""


class Unfit(DatabaseAway):
    """PostgreSQL answers, but cannot serve us until somebody changes what the text names."""


class TookTooLong(DatabaseAway):
    """PostgreSQL cancelled a statement after its timeout."""


class RedisAway(NotifyError):
    """Redis cannot be reached or refuses writes; trying again later is right."""


class NobodyListens(NotifyError):
    """No API answers where a command looked for it."""


class TryLater(NotifyError):
    """The API said that it cannot now, or did not answer in time; trying again may be right."""


class NotTried(NotifyError):
    """No time was left to insert a row: it is not in the ledger."""


class KeyInFlight(NotifyError):
    """An open transaction holds the idempotency key of a row: it is not in the ledger by us."""


class Refused(NotifyError):
    """The database refused a row. `constraint` names the broken rule, `column` the field."""

    def __init__(
        self, message: str, *, constraint: str = "", column: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.column = column
        self.hint = hint
