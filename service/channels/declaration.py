"""What is declared of a channel: what its recipient and its payload must be."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from service.channels.words import Words


class Payload(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The payload of a channel that does not take any JSON value."""

    def faults(self) -> Iterator[tuple[str, str]]:
        """Say what is wrong beyond the types: (JSON pointer within the payload, sentence)."""
        yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One channel. accept() in SQL repeats its rules as far as SQL can.

    `words`: what people read of it. `recipient`: returns a recipient as it is stored; raises
    ValueError, fit for the client. `payload`: the type it must have; None: any JSON value.
    `example`: recipient and payload of a notification that is right, for the documentation.
    """

    words: Words
    recipient: Callable[[str], str]
    payload: type[Payload] | None = None
    example: Mapping[str, object]
