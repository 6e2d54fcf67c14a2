"""`notify keys`: make, list, revoke and rotate API keys, straight in the database.

So it makes the first key as well, which nobody could ask the API for.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from service.access import rights
from service.access.key import ApiKey, Secret, minted
from service.cli.output import leads_nowhere, note, say, show
from service.cli.settings import settings_beside_up
from service.errors import ConfigError, NotifyError
from service.http.problem_kinds import KINDS
from service.ledger.key_store import By, KeyStore, Rights, direct

GRACE = timedelta(days=1)
# The table of keys is locked meanwhile, and a terminal may stand still.
PRINTS_SOON = "set local idle_in_transaction_session_timeout = '5s'"
MAKING = ("producer", "scope", "kind", "recipient", "channel", "expires", "rate", "burst")
OPTIONS = {"create": MAKING, "list": (), "revoke": (), "rotate": ("grace",)}
FIELDS = {"scopes": "--scope", "channels": "--channel", "recipients": "--recipient",
          "rate_per_s": "--rate"}  # fmt: skip
HEAD = ("id", "producer", "kind", "state", "last used", "scopes")

Answer = TypeVar("Answer")


def run(args: argparse.Namespace) -> int:
    """Do what the verb says."""
    check_words(args)
    return {"create": create, "list": listing, "revoke": revoke, "rotate": rotate}[args.verb](args)


def create(args: argparse.Namespace) -> int:
    """Make a key, and print it this once."""
    asked, secret = wanted(args, datetime.now(UTC)), minted()
    return made(args, secret, lambda keys: keys.create(secret, asked, By()))


def rotate(args: argparse.Namespace) -> int:
    """Make a successor, and print it this once; the old one ends after the grace."""
    secret, grace = minted(), GRACE if args.grace is None else args.grace
    return made(args, secret, lambda keys: keys.rotate(args.id, secret, grace, By()))


def made(
    args: argparse.Namespace, secret: Secret, work: Callable[[KeyStore], Awaitable[str | None]]
) -> int:
    """Make and print a key in one transaction: one that cannot be shown is none.

    Raises NotifyError if it was not made, and what printing raises.
    """
    if leads_nowhere():
        raise ConfigError("standard output leads nowhere: nobody would know the key")

    async def call() -> None:
        async with direct(database_url(args)) as connection, connection.transaction():
            await connection.execute(PRINTS_SOON)
            keys = KeyStore(lambda: nullcontext(connection))
            if code := await work(keys):
                raise NotifyError(f"{KINDS[code].title}: {KINDS[code].advice}")
            [key] = await keys.listed(secret.id)
            tell(args, secret, key)

    asyncio.run(call())
    if not args.json:
        note("shown this once: clients send it as  Authorization: Bearer …, commands as NOTIFY_KEY")
    return 0


def tell(args: argparse.Namespace, secret: Secret, key: ApiKey) -> None:
    """Print a new key."""
    if args.json:
        show({"key": str(secret)} | shown(key))
    else:
        say([str(secret)])
    sys.stdout.flush()


def listing(args: argparse.Namespace) -> int:
    """Print every key, newest first."""
    keys = on_ledger(args, KeyStore.listed)
    if args.json:
        show([shown(key) for key in keys])
    else:
        say(line(cells) for cells in [HEAD, *(row(key, datetime.now(UTC)) for key in keys)])
    return 0


def revoke(args: argparse.Namespace) -> int:
    """End a key for good; the API notices within seconds."""
    if not on_ledger(args, lambda keys: keys.revoke(args.id, By())):
        raise NotifyError(f"{KINDS['key_not_found'].title}: {args.id}")
    if args.json:
        show({"id": args.id, "revoked": True})
    else:
        say([f"{args.id} revoked"])
    return 0


def check_words(args: argparse.Namespace) -> None:
    """Refuse words that belong to another verb. Raises ConfigError."""
    takes_id = args.verb in ("revoke", "rotate")
    if takes_id and args.id is None:
        raise ConfigError(f"keys {args.verb} which? Give an ID, as `notify keys list` shows it")
    if not takes_id and args.id is not None:
        raise ConfigError(f"keys {args.verb} takes no ID")
    for option in (*MAKING, "grace"):
        if getattr(args, option) is not None and option not in OPTIONS[args.verb]:
            raise ConfigError(f"--{option} is not for keys {args.verb}")
    if takes_id:
        args.id = bare_id(args.id)


def bare_id(text: str) -> str:
    """Take an id, also of a whole key, which is not shown again."""
    id = text.split("_")[1] if text.startswith("nk_") and text.count("_") > 1 else text
    if not id or not id.isascii() or not id.isalnum():
        raise ConfigError("the ID is none: `notify keys list` shows them")
    return id


def wanted(args: argparse.Namespace, now: datetime) -> Rights:
    """Return what the key may do. Raises ConfigError."""
    if args.producer is None:
        raise ConfigError("whose key? Give --producer NAME")
    if args.expires is not None and not args.expires:
        raise ConfigError("--expires: a key that has ended is of no use")
    asked = Rights(
        producer=args.producer,
        kind=args.kind or "live",
        scopes=args.scope or ["send"],
        channels=args.channel,
        recipients=args.recipient,
        rate_per_s=args.rate,
        burst=args.burst,
        expires_at=None if args.expires is None else now + args.expires,
    )
    fields = {name: value for name, value in asdict(asked).items() if name != "expires_at"}
    for field, sentence in rights.faults(**fields):
        raise ConfigError(f"{FIELDS.get(field, f'--{field}')}: {sentence}")
    return asked


def on_ledger(args: argparse.Namespace, work: Callable[[KeyStore], Awaitable[Answer]]) -> Answer:
    """Call the ledger once. Raises NotifyError."""

    async def call() -> Answer:
        return await work(KeyStore(partial(direct, database_url(args))))

    return asyncio.run(call())


def database_url(args: argparse.Namespace) -> str:
    """Return where the keys are."""
    url = settings_beside_up(args).database_url
    assert url is not None
    return url


def shown(key: ApiKey) -> dict[str, Any]:
    """Return a key for JSON, without its secret's hash."""
    values = {name: value for name, value in asdict(key).items() if name != "secret_sha256"}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def row(key: ApiKey, now: datetime) -> tuple[str, ...]:
    """Put a key into the columns of HEAD."""
    used = "never" if key.last_used_at is None else f"{key.last_used_at:%Y-%m-%d %H:%M}"
    return key.id, key.producer, key.kind, state(key, now), used, " ".join(limits(key))


def state(key: ApiKey, now: datetime) -> str:
    """Say whether a key is valid."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "valid"
    return "expired" if key.expires_at <= now else f"until {key.expires_at:%Y-%m-%d}"


def limits(key: ApiKey) -> Iterator[str]:
    """Say what a key may do, and to whom."""
    yield from key.scopes
    if key.channels is not None:
        yield f"channels {','.join(map(str, key.channels))}"
    if key.recipients is not None:
        yield f"recipients {','.join(map(str, key.recipients))}"
    if key.rate_per_s is not None:
        yield f"{key.rate_per_s:g}/s"


def line(cells: tuple[str, ...]) -> str:
    """Align the columns."""
    id, producer, kind, state, used, rest = cells
    return f"{id:10}  {producer:16}  {kind:4}  {state:16}  {used:16}  {rest}".rstrip()
