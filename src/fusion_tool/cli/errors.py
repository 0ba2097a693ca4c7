"""How a command fails: one line that names cause and cure, an exit status, and the JSON of a failed run.

`-v` and `-vv` show what the package itself logs, on stderr. Never other packages' logs: those hold prompts.
"""

import logging
import sys
import traceback
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


def exit_status(error: BaseException) -> int:
    """2 wrong usage or configuration, 3 no usable answer, 4 refused by budget, 130 and 143 signals, else 1."""
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
    elif isinstance(error, FusionError | InterruptError | str):
        text = str(error)
    else:
        from fusion_tool.config.keys import scrub

        text = scrub(f"unexpected {type(error).__name__}: {error}; --debug shows where")
    return printable(" ".join(text.split()))


def print_error(error: BaseException | str, *, debug: bool = False) -> None:
    """Say it on stderr; with `debug` after the traceback."""
    if debug and isinstance(error, BaseException):
        traceback.print_exception(error)
    sys.stderr.write(f"error: {error_line(error)}\n")


def failed_run_json(error: BaseException) -> dict[str, Any]:
    """The JSON of a failed run; `usage` only where something is known of it."""
    failed = error.failed_models if isinstance(error, PanelFailed) else []
    known = {"usage": error.usage} if isinstance(error, PanelFailed) and error.usage is not None else {}
    return {"status": "failed", "error": error_line(error), "failed_models": failed, **known}


Verbosity = Annotated[
    int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Log to stderr; -vv logs more.")
]
_LEVELS = {0: logging.WARNING, 1: logging.INFO}


class _Line(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from fusion_tool.config.keys import scrub
        from fusion_tool.events import one_line

        # Looked up at each record: a live table on the terminal replaces stderr while it is shown.
        print(f"{record.levelname.lower()}: {one_line(scrub(record.getMessage()), 500)}", file=sys.stderr)  # noqa: T201 - stderr is where logs go


def log_to_stderr(verbosity: int, *, quiet: bool = False) -> None:
    """Log the package's records: warnings, with 1 information, with 2 all; with `quiet` errors alone."""
    logger = logging.getLogger("fusion_tool")
    logger.handlers[:] = [_Line()]
    logger.propagate = False
    logger.setLevel(logging.ERROR if quiet and not verbosity else _LEVELS.get(verbosity, logging.DEBUG))
