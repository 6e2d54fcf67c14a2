"""Read the file `.env` as a whole, or refuse it in one line that shows no value."""

import io
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream

from service.errors import ConfigError

BYTES_MAX = 1_000_000
NAMED = re.compile(r"\$\{([^}:]*)\}")  # ${NAME}, without a default


def read_env_file(path: Path, environ: Mapping[str, str], ours: frozenset[str]) -> dict[str, str]:
    """Read the names and values of a file; {} where there is none.

    ${NAME} stands for another value of the file, or for a variable. A directory named .env is
    ignored: it is somebody's virtual environment. Raises ConfigError for a file that we cannot
    read, and for one of `ours` whose value has a ${NAME} that is not set.
    """
    text = env_text(path)
    bindings = list(parse_stream(io.StringIO(text)))
    known = {binding.key for binding in bindings} | environ.keys()
    for binding in bindings:
        for missing in sorted(set(NAMED.findall(binding.value or "")) - known):
            if binding.key in ours:
                raise ConfigError(
                    f"{path}: {binding.key} names ${{{missing}}}, which is not set: in a URL, "
                    "a $ of a password is written as %24"
                )
    # unreadable() reports the lines that cannot be read; the library would report them itself.
    readable = "".join(b.original.string for b in bindings if not b.error)
    return {k: v or "" for k, v in dotenv_values(stream=io.StringIO(readable)).items()}


def unreadable(path: Path) -> Iterator[int]:
    """Return the numbers of the lines that are no NAME=value."""
    bindings: Iterator[Binding] = parse_stream(io.StringIO(env_text(path)))
    for binding in bindings:
        if binding.error:
            text = binding.original.string  # with the empty lines before it
            yield binding.original.line + len(text) - len(text.lstrip("\n"))


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
