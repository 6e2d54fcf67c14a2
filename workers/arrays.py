"""Arrays for PostgreSQL, spelled here if nothing in them needs quotes."""

from collections.abc import Iterable, Sequence


def array(values: Iterable[object]) -> str:
    """Spell an array of ids, numbers or words. They need no quotes, and psycopg would be slower."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def text_array(texts: Sequence[str | None]) -> str | Sequence[str | None]:
    """Spell an array of texts if none of them needs quotes; else leave it to psycopg."""
    are_plain = all(text is None or is_plain(text) for text in set(texts))
    return array(texts) if are_plain else texts


def is_plain(text: str) -> bool:
    """Return whether a text stands for itself in an array: a number or a word, and not `null`.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    return text.isascii() and (text.isdigit() or text.isidentifier()) and text.lower() != "null"
