"""The two consoles, and text and numbers as a terminal may show them. Nothing that a model says is read as markup."""

import re
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


_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that turn the direction of writing."""

UNKNOWN = "unknown"


def printable(text: str) -> str:
    """`text` without what could steer a terminal: models and pages are data."""
    return _UNSAFE.sub("", text)


def printable_line(text: str, longest: int = 200) -> str:
    """`text` as one printable line of at most `longest` characters."""
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def format_usd(cost: float | None) -> str:
    """An amount of US dollars; unknown is said, never 0."""
    return UNKNOWN if cost is None else f"${cost:.4f}"


def format_seconds(value: float | None) -> str:
    """A duration."""
    return UNKNOWN if value is None else f"{value:.1f} s"
