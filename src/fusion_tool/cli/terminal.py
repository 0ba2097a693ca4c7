"""The two consoles. Nothing that a model says is read as markup."""

import sys

from rich.console import Console

_WIDE = 120
"""Columns where no terminal says how many there are."""


def stdout() -> Console:
    """Return the console for a command's output."""
    return _console(error=False)


def stderr() -> Console:
    """Return the console for progress, warnings and errors."""
    return _console(error=True)


def _console(*, error: bool) -> Console:
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(stderr=error, width=width, markup=False, emoji=False, highlight=False)
