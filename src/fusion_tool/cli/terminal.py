"""The terminal: its two consoles, and the texts that a user passes or pipes in.

Nothing that a model says is read as rich's markup.
"""

import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread, Timer

from rich.console import Console

from fusion_tool.errors import ConfigError

SILENCE = 5.0
"""Seconds without a line after which one says what is done: a log that stands still looks like a hang."""
_WIDE = 180
"""Columns where no terminal says how many there are: names in tables, for which a pipe is searched, are whole."""
_MOST_CHARACTERS = 100_000
"""Upper bound of what is piped in: each seat pays for a question and its context in each of its turns."""
_MOST_BYTES = 4 * _MOST_CHARACTERS
_PATIENCE_SECONDS = 2.0
"""How long a pipe may be silent before its reader says that it waits."""


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


@contextmanager
def signs_of_life(console: Console, text: Callable[[], str]) -> Iterator[None]:
    """Write a line every five seconds while the context is open, where no terminal shows an animation.

    Args:
        console: Where it is written.
        text: Says what is done, and how far it is.
    """
    over, started = Event(), time.monotonic()

    # In a thread: what is waited for may hold up this one, or an event loop in it.
    def write() -> None:
        while not over.wait(SILENCE):
            console.print(f"{text()}, {time.monotonic() - started:.0f} s", soft_wrap=True)

    writer = Thread(target=write, daemon=True)
    if not console.is_terminal:
        writer.start()
    try:
        yield
    finally:
        over.set()


def can_ask() -> bool:
    """Tell whether somebody sits at standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def read_input(question: str, context: str, *, quiet: bool = False) -> tuple[str, str]:
    """Return a question and its context, one of which may be piped in.

    Args:
        question: The argument; `-` stands for standard input.
        context: What the user already knows. Text on standard input beside a question comes after it, where it is no
            terminal.
        quiet: Whether nothing is said of what came from standard input.

    Raises:
        ConfigError: Standard input is no text, or too long.
    """
    if question == "-":
        return _read_stdin("question"), clean_text(context)
    piped = "" if sys.stdin is None or can_ask() else _read_stdin("context").strip()
    if piped and not quiet:
        sys.stderr.write(f"context: {len(piped):,} characters from standard input\n")
    return clean_text(question), "\n\n".join(filter(None, (clean_text(context), piped)))


def _read_stdin(field: str) -> str:
    # A pipe that nobody closes is waited for without end: a program that starts this one may have left it open.
    notice = Timer(_PATIENCE_SECONDS, _say_waiting, [field])
    notice.daemon = True
    notice.start()
    try:
        # Its bytes: the text layer raises where they are not in the terminal's encoding.
        piped = sys.stdin.buffer.read(_MOST_BYTES + 1)
    finally:
        notice.cancel()
    is_whole = len(piped) <= _MOST_BYTES
    try:
        # By pieces: where the bound cut a character in two, the text is too long, and not broken.
        text = getincrementaldecoder("utf-8-sig")().decode(piped, final=is_whole)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigError(_NO_TEXT, field=field)
    if not is_whole or len(text) > _MOST_CHARACTERS:
        raise ConfigError(
            f"standard input holds more than {_MOST_CHARACTERS:,} characters; put material into a folder (--docs)",
            field=field,
        )
    return text


_NO_TEXT = (
    "standard input is no text in UTF-8; convert it, or put a PDF or an office file into a folder (--docs), "
    "which reads them"
)


def _say_waiting(field: str) -> None:
    sys.stderr.write(f"waiting for standard input, the {field}, to end; '< /dev/null' gives none\n")


def clean_text(argument: str) -> str:
    """Return an argument without the halves of characters into which Python turns bytes that are not UTF-8."""
    # No provider's JSON may hold them.
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
