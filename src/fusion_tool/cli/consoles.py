"""The two consoles, made when they are needed. Nothing that a model says is read as markup."""

import sys

from rich.console import Console

_WIDE = 120
"""Columns where no terminal says how many there are."""


def stdout() -> Console:
    """For what a command was asked for."""
    return _console(error=False)


def stderr() -> Console:
    """For everything else."""
    return _console(error=True)


def _console(*, error: bool) -> Console:
    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else _WIDE
    return Console(stderr=error, width=width, markup=False, emoji=False, highlight=False)
