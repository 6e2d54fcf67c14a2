"""Whether the ledger is at home where we found it, and what to say if it is not (sql/home.sql)."""

from dataclasses import dataclass

COPIED = "this ledger was copied"
# The environment of a sandbox's ledger: nobody calls an installation that by accident.
SANDBOX = "notify up --sandbox"
REMEDY = (
    "`notify adopt` to send from here, `notify adopt --discard` to cancel what was queued or being"
    " sent when the copy was noticed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """What home() says to one caller.

    `environment`: what the ledger's home is called; None: nobody has declared it. `is_place`:
    server and database are those of home. `is_in_use`: others have found it at home here since the
    server's last start.
    """

    is_home: bool
    environment: str | None
    is_place: bool
    is_in_use: bool

    def fault(self, environment: str | None) -> str:
        """Say why nothing is sent by a caller of this ENVIRONMENT, who is not at home."""
        if self.environment == SANDBOX:
            return "this ledger is a sandbox's"
        if not self.is_in_use:
            return COPIED
        ours = f"ENVIRONMENT={environment}" if environment else "no ENVIRONMENT"
        return f"this ledger is at home here as {self.environment}, and we have {ours}"

    @property
    def remedy(self) -> str:
        """Say what to do about it."""
        if self.environment == SANDBOX:
            return "start it with --sandbox, or use another database (--state names another)"
        if not self.is_in_use:
            return REMEDY
        return f"set ENVIRONMENT={self.environment}, or rename its home: `notify adopt`"
