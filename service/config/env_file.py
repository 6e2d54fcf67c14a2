"""Read the file `.env` as a whole, or refuse it in one line that shows no value."""

import io
import os
import re
import stat
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from dotenv.parser import Binding, parse_stream
from dotenv.variables import parse_variables

from service.errors import ConfigError

BYTES_MAX = 1_000_000
NAMED = re.compile(r"\$\{([^}:]*)(:-[^}]*)?\}")  # ${NAME} or ${NAME:-default}
SHELLS = re.compile(r"\$\{\w+(?::[?+=]|[-?+=])")  # what only shells know


def read_env_file(path: Path, environ: Mapping[str, str], ours: frozenset[str]) -> dict[str, str]:
    """Read the names and values of a file; {} where there is none.

    ${NAME} stands for a value above it in the file, or else for a variable. A directory named .env
    is ignored: it is somebody's virtual environment. Raises ConfigError for a file that we cannot
    read, and for one of `ours` that has no value, or whose value has a ${NAME} that nobody gives,
    unless the environment has it: that one counts.
    """
    values: dict[str, str] = {}
    known = {name: value for name, value in environ.items() if value.strip()}
    given = set(environ)  # also by an empty value
    for binding in parse_stream(io.StringIO(env_text(path))):
        if binding.key is None:  # a comment, or one of the lines that unreadable() reports
            continue
        if binding.key in ours and not environ.get(binding.key, "").strip():
            refuse_nothing(path, binding, given)
        value = "".join(atom.resolve(known) for atom in parse_variables(binding.value or ""))
        values[binding.key] = value
        if binding.value is not None and not missing(binding, given):
            given.add(binding.key)
        elif binding.key not in environ:
            given.discard(binding.key)
        known.pop(binding.key, None)
        for text in (environ.get(binding.key, ""), value):
            if text.strip():
                known[binding.key] = text
    return values


def refuse_nothing(path: Path, binding: Binding, given: Set[str]) -> None:
    """Refuse a line that sets nothing, or a ${…} that stands for nothing. Raises ConfigError."""
    if binding.value is None:
        raise ConfigError(
            f"{path}: line {line_of(binding)}: {binding.key} has no = and no value after it"
        )
    defaults = "".join(default for _, default in NAMED.findall(binding.value))
    if "${" in defaults or SHELLS.search(binding.value):
        raise ConfigError(
            f"{path}: {binding.key} has a ${{…}} of which only ${{NAME}} and ${{NAME:-default}}"
            " are known here"
        )
    for name in missing(binding, given):
        raise ConfigError(
            f"{path}: {binding.key} names ${{{name}}}, which is not set above it or in the"
            f" environment: write ${{{name}:-}} if it may be empty, and %24 for a $ of a URL's"
            " password"
        )


def missing(binding: Binding, given: Set[str]) -> list[str]:
    """Return the names in a value that nobody gives, and that have no default."""
    named = NAMED.findall(binding.value or "")
    return [name for name, default in named if not default and name not in given]


def unreadable(path: Path) -> Iterator[int]:
    """Return the numbers of the lines that are no NAME=value."""
    bindings: Iterator[Binding] = parse_stream(io.StringIO(env_text(path)))
    return (line_of(binding) for binding in bindings if binding.error)


def line_of(binding: Binding) -> int:
    """Return the number of its line: its text begins with the empty lines before it."""
    text = binding.original.string
    return binding.original.line + len(text) - len(text.lstrip("\n"))


def env_text(path: Path) -> str:
    """Give the text of a file, "" where there is none. Raises ConfigError."""
    try:
        raw = contents(path)
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8: save the file as UTF-8") from None


def contents(path: Path) -> bytes:
    """Read a regular file: a pipe could make us wait for ever. A broken link raises OSError."""
    if not os.path.lexists(path) or path.is_dir():
        return b""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path}: is no regular file")
    if status.st_size > BYTES_MAX:
        raise ConfigError(f"{path}: is larger than {BYTES_MAX} bytes")
    raw = path.read_bytes()
    if b"\0" in raw:
        raise ConfigError(f"{path}: holds a NUL byte: save the file as UTF-8")
    return raw
