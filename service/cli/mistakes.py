"""An argument parser that answers a mistyped word with the one that was meant."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Suggest what was perhaps meant. (argparse's own suggest_on_error begins with Python 3.14.)"""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands: dict[str, Parser] = {}

    def parse_args(self, argv: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        """Parse; exits with 2, the command's usage and one line about the first mistake."""
        is_late = argv[0].startswith("-")  # the next word may then be the option's value
        command = next((word for word in argv if word in self.commands), "") if is_late else argv[0]
        parser = self.commands.get(command, self)
        for word in argv[: argv.index("--")] if "--" in argv else argv:
            if word.startswith("--") and " " not in word:
                parser.check_option(word.partition("=")[0])
        if is_late and command and not self.knows(argv[0]):
            parser.error(f"{argv[0]} stands behind the command")
        args, extra = self.parse_known_args(argv)
        if extra and extra[0].startswith("-"):
            parser.error(f"{extra[0]} stands behind the command")
        if extra:
            parser.error(
                f"too many words, from {extra[0]!r} on: is one to be quoted for the shell?"
            )
        return args

    def knows(self, word: str) -> bool:
        """Return whether this option, perhaps cut short, may stand before the command: --help."""
        return any(option.startswith(word) for option in self._option_string_actions)

    def check_option(self, name: str) -> None:
        """Exit if there is no such option: other mistakes may follow from it, so it comes first."""
        options = [option for action in self._actions for option in action.option_strings]
        if not any(option.startswith(name) for option in options):
            self.error(f"there is no option {name}{meant(name, options)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        choices = [str(choice) for choice in action.choices]
        likely = [*choices, *self._option_string_actions] if self.commands else choices
        guess = meant(str(value), likely) or f": choose from {', '.join(choices)}"
        what = "command" if self.commands else action.metavar or action.dest
        raise argparse.ArgumentError(None, f"there is no {what} {str(value)!r}{guess}")

    def error(self, message: str) -> NoReturn:
        """Exit with 2, the usage, and one line that names --help."""
        self.print_usage(sys.stderr)
        end = "" if message.endswith("?") else "."
        self.exit(2, f"{self.prog}: {message}{end} See {self.prog} --help\n")


def meant(word: str, words: Iterable[str]) -> str:
    """Say which word was perhaps meant."""
    close = get_close_matches(word.lower(), list(words), n=1, cutoff=0.7)
    return f": did you mean {close[0]}?" if close else ""
