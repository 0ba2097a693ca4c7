"""The terminal: its two consoles, and the texts that a user passes or pipes in.

Nothing that a model says is read as rich's markup.
"""

import sys

from rich.console import Console

from fusion_tool.errors import ConfigError

_WIDE = 120
"""Columns where no terminal says how many there are."""
_MOST_BYTES = 1 << 20
"""Upper bound of a question from standard input, in bytes: more is material, not a question."""


def stdout() -> Console:
    """Return the console for a command's output."""
    return _console(error=False)


def stderr() -> Console:
    """Return the console for progress, warnings and errors."""
    return _console(error=True)


def _console(*, error: bool) -> Console:
    stream = sys.stderr if error else sys.stdout
    # In a file or a pipe rich would assume 80 columns, and fold the tables of a log to them.
    width = None if stream.isatty() else _WIDE
    # Without markup and emoji codes: a model's `[red]` or `:warning:` is text. Highlighting would colour its numbers.
    return Console(stderr=error, width=width, markup=False, emoji=False, highlight=False)


def read_question(question: str) -> str:
    """Return the text of a question.

    Args:
        question: The argument; `-` stands for standard input.

    Raises:
        ConfigError: Standard input holds more than 1 MB.
    """
    if question != "-":
        return clean_text(question)
    # Its bytes: the text layer raises where they are not in the terminal's encoding.
    piped = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if len(piped) > _MOST_BYTES:
        raise ConfigError("standard input holds more than 1 MB; put material into a folder (--docs)", field="question")
    return piped.decode("utf-8", "replace")


def clean_text(argument: str) -> str:
    """Return an argument without the halves of characters into which Python turns bytes that are not UTF-8."""
    # No provider's JSON may hold them.
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
