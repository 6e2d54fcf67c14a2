"""What `notify erase`, `export` and `audit` ask: all of one person, and who did what."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from uuid import UUID

from service.ledger.store import Store
from service.model.verbs import Erased, Use

# Per call, of which a slow disk has to bring all within the statement's time.
LOOK_MAX = 5000  # rows
ERASED_MAX = 200  # rows whose payload may be 256 KiB
LINES_MAX = 50

FIND = """
select ids, following from notify.find_person(
  p_recipients => %(recipients)s::text[], p_reference => %(reference)s, p_after => %(after)s,
  p_limit => %(limit)s, p_look_max => %(look_max)s)
"""
ERASE = """
select * from notify.erase(
  p_recipients => %(recipients)s::text[], p_reference => %(reference)s, p_after => %(after)s,
  p_limit => %(limit)s, p_look_max => %(look_max)s, p_dry_run => %(dry_run)s)
"""
USES = """
select id, at, actor, key_id, verb, detail from notify.audit order by id desc limit %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose notifications are meant: those to any of these spellings, or with this reference."""

    recipients: list[str] | None = None
    reference: str | None = None


class PersonStore(Store):
    """The calls of these commands. Every method may raise DatabaseAway."""

    async def erase(self, person: Person, *, dry_run: bool) -> AsyncIterator[Erased]:
        """Erase a person, each step a transaction; yields what each step did."""
        how = asdict(person) | {"limit": ERASED_MAX, "look_max": LOOK_MAX, "dry_run": dry_run}
        after: UUID | None = None
        while True:
            [erased] = await self._rows(Erased, ERASE, how | {"after": after})
            yield erased
            after = erased.following
            if after is None:
                return

    async def export(self, person: Person) -> AsyncIterator[list[str]]:
        """Yield all that is kept of a person, some lines of JSON at a time, the oldest first."""
        how = asdict(person) | {"limit": LINES_MAX, "look_max": LOOK_MAX}
        after: UUID | None = None
        while True:
            [(ids, after)] = await self._tuples(FIND, how | {"after": after})
            if ids:
                lines = await self._tuples("select line from notify.export(%s)", [ids])
                yield [line for (line,) in lines]
            if after is None:
                return

    async def uses(self, limit: int) -> list[Use]:
        """Read the last uses, the newest first."""
        return await self._rows(Use, USES, [limit])
