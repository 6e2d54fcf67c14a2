"""Running one command: whatever goes wrong ends in one line, and never in a traceback."""

import argparse
import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from service.cli.parser import parser
from service.errors import ConfigError, NotifyError
from service.process.stdio import print_error
from service.text.printable import printable

CLOSED_PIPE = 128 + 13  # what a shell says of a program that SIGPIPE ended

OF_ANY_SHELL = ("HOME", "PWD", "OLDPWD", "TMPDIR")  # many paths lie below them, by nobody's wish


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    # A pool warns about each attempt to connect: without logs of ours that would be printed.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

    def work() -> int:
        args = parsed(words)
        return command(args)(args)

    return in_one_line(work)


def in_one_line(work: Callable[[], int]) -> int:
    """Run what gives an exit code; what it raises becomes a line on standard error, and a code."""
    try:
        prepare_streams()
        code = work()
        sys.stdout.flush()  # here, where a closed pipe is caught
    except BrokenPipeError:
        read_by_nobody()
        return CLOSED_PIPE
    except NotifyError as error:
        return complain(str(error))
    except OSError as error:
        place = error.filename or ("output" if error.errno == errno.ENOSPC else "this machine")
        return complain(f"{place}: {error.strerror or type(error).__name__}{named_by(place)}")
    except Exception as error:
        return complain(fault(error))
    return code


def named_by(place: object) -> str:
    """Name the variable that leads to a path, if one does: SSLKEYLOGFILE is read by a library."""
    path = Path(os.fsdecode(place)) if isinstance(place, str | bytes) else Path()
    leads = (str(path), str(path.parent)) if path.is_absolute() else ()
    names = (n for n, value in os.environ.items() if value in leads and n not in OF_ANY_SHELL)
    name = next(names, None)
    return f" ({name} says so)" if name else ""


def parsed(words: list[str]) -> argparse.Namespace:
    """Parse the command line. Raises ConfigError for a word, but a path, that is not UTF-8."""
    root = parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(root)
    for before, word in pairwise(("", *words)):
        if word.isprintable() or before == "--state" or word.startswith("--state="):
            continue  # a path may have any bytes
        if any("\ud800" <= c <= "\udfff" for c in word):
            raise ConfigError(f"{word}: not UTF-8")
    if not words:
        root.print_help(sys.stderr)
        raise SystemExit(2)
    return root.parse_args(words)


def command(args: argparse.Namespace) -> Callable[[argparse.Namespace], int]:
    """Import what runs a command, so that no other command waits for that import."""
    function: Callable[[argparse.Namespace], int]
    function = getattr(import_module(args.module), args.function)
    return function


def prepare_streams() -> None:
    """Write an escape where an encoding lacks a character; replace a closed stream (>&-)."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - as long as we run
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def read_by_nobody() -> None:
    """Keep Python from writing to the closed pipe again, and complaining, when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> int:
    """Print on one line why the command failed."""
    print_error(printable(f"notify: {text}"))
    return 1


def fault(error: Exception) -> str:
    """Describe a fault of ours in one line: kind and place, as its text may quote a password."""
    if os.environ.get("NOTIFY_DEBUG"):
        print_error(traceback.format_exc().rstrip())
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"a fault of this program, {type(error).__name__} at {Path(place.filename).name}:"
        f"{place.lineno}. Please report it with what NOTIFY_DEBUG=1 shows"
    )
