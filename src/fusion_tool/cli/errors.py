"""The failure of a command: one line that names cause and cure, an exit status, and the JSON of a failed run.

`-v` and `-vv` show what the package itself logs, on stderr. Never other packages' logs: those hold prompts.
"""

import io
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from fusion_tool.errors import BudgetExceeded, FusionError, PanelFailed

BAD_USAGE, NO_ANSWER, NO_BUDGET, UNEXPECTED = 2, 3, 4, 1
_SIGNALLED = 128
"""A shell's convention: 128 and the signal's number."""


class InterruptError(Exception):
    """A signal ended the run, which was cancelled cleanly."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted" if signal_number == 2 else "terminated")  # noqa: PLR2004 - SIGINT
        self.signal_number = signal_number


class OutputError(Exception):
    """Standard output that takes nothing more: its disk is full, say."""


class StandardOutput(io.TextIOWrapper):
    """Standard output, whose errors are told from all others; after the first one what is written goes nowhere."""

    def write(self, text: str, /) -> int:  # noqa: D102 - as the base's
        if text == "":
            return 0  # by which Click looks what kind of stream it is, and swallows the error
        with self._errors():
            return super().write(text)

    def flush(self) -> None:  # noqa: D102 - as the base's
        with self._errors():
            super().flush()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Else Python tries again as it ends, and prints its own words.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if isinstance(error, BrokenPipeError):
                raise  # its reader has left, which is no error
            raise OutputError(f"standard output: {error.strerror}") from error


def exit_status(error: BaseException) -> int:
    """Return the exit status of a command that ends with `error`.

    2 wrong usage or configuration, 3 no usable answer, 4 refused by budget, 130 and 143 signals, else 1.
    """
    # `FusionError` comes last: it is the base of the two before it.
    match error:
        case InterruptError():
            return _SIGNALLED + error.signal_number
        case KeyboardInterrupt():
            return _SIGNALLED + 2
        case PanelFailed():
            return NO_ANSWER
        case BudgetExceeded():
            return NO_BUDGET
        case FusionError():
            return BAD_USAGE
        case _:
            return UNEXPECTED


def error_line(error: BaseException | str) -> str:
    """Return an error as the one line that the user sees; of an unexpected one with its keys taken out.

    Args:
        error: The error, or its text.
    """
    from fusion_tool.events import printable

    if isinstance(error, KeyboardInterrupt):
        text = "interrupted"
    elif isinstance(error, FusionError | InterruptError | OutputError | str):
        text = str(error)
    else:
        from fusion_tool.config.keys import scrub

        text = scrub(f"unexpected {type(error).__name__}: {error}; --debug shows where")
    return printable(" ".join(text.split()))


def print_error(error: BaseException | str, *, debug: bool = False) -> None:
    """Print an error's line on stderr.

    Args:
        error: The error, or its text.
        debug: Whether its traceback comes first.
    """
    if debug and isinstance(error, BaseException):
        traceback.print_exception(error)
    sys.stderr.write(f"error: {error_line(error)}\n")


def failed_run_json(error: BaseException) -> dict[str, Any]:
    """Return a failed run as JSON; `usage` is left out where nothing is known of it."""
    failed_models = error.failed_models if isinstance(error, PanelFailed) else []
    usage = {"usage": error.usage} if isinstance(error, PanelFailed) and error.usage is not None else {}
    return {"status": "failed", "error": error_line(error), "failed_models": failed_models, **usage}


Verbosity = Annotated[
    int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Log to stderr; -vv logs more.")
]
_LEVELS = {0: logging.WARNING, 1: logging.INFO}


class _LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from fusion_tool.config.keys import scrub
        from fusion_tool.events import one_line

        # Looked up at each record: a live table on the terminal replaces stderr while it is shown.
        print(f"{record.levelname.lower()}: {one_line(scrub(record.getMessage()), 500)}", file=sys.stderr)  # noqa: T201 - stderr is where logs go


def log_to_stderr(verbosity: int, *, quiet: bool = False) -> None:
    """Print the package's log records on stderr.

    Args:
        verbosity: 0 for warnings, 1 for information too, 2 for all.
        quiet: Whether only errors are printed; a higher verbosity wins over it.
    """
    logger = logging.getLogger("fusion_tool")
    # Replaced, not added: the option may stand before the command and after it, and records would come twice.
    logger.handlers[:] = [_LineHandler()]
    logger.propagate = False
    logger.setLevel(logging.ERROR if quiet and not verbosity else _LEVELS.get(verbosity, logging.DEBUG))
