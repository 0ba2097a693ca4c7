"""How a command fails: one line that names cause and cure, an exit status, and the JSON of a failed run."""

import sys
import traceback
from typing import Any

from fusion_tool.errors import BudgetExceeded, FusionError, PanelFailed

BAD_USAGE, NO_ANSWER, NO_BUDGET, UNEXPECTED = 2, 3, 4, 1
_SIGNALLED = 128
"""A shell's convention: 128 and the signal's number."""


class Interrupted(Exception):  # noqa: N818 - it is no error
    """A signal ended the run, which was cancelled cleanly."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted" if signal_number == 2 else "terminated")  # noqa: PLR2004 - SIGINT
        self.signal_number = signal_number


def exit_status(error: BaseException) -> int:
    """2 wrong usage or configuration, 3 no usable answer, 4 refused by budget, 130 and 143 signals, else 1."""
    match error:
        case Interrupted():
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


def one_line(error: BaseException | str) -> str:
    """What the user is told."""
    from fusion_tool.cli.text import printable

    if isinstance(error, KeyboardInterrupt):
        text = "interrupted"
    elif isinstance(error, FusionError | Interrupted | str):
        text = str(error)
    else:
        from fusion_tool.models.faults import scrub

        text = scrub(f"unexpected {type(error).__name__}: {error}; --debug shows where")
    return printable(" ".join(text.split()))


def report(error: BaseException | str, *, debug: bool = False) -> None:
    """Say it on stderr; with `debug` after the traceback."""
    if debug and isinstance(error, BaseException):
        traceback.print_exception(error)
    sys.stderr.write(f"error: {one_line(error)}\n")


def failed_run(error: BaseException) -> dict[str, Any]:
    """The JSON of a failed run; `usage` only where something is known of it."""
    failed = error.failed_models if isinstance(error, PanelFailed) else []
    known = {"usage": error.usage} if isinstance(error, PanelFailed) and error.usage is not None else {}
    return {"status": "failed", "error": one_line(error), "failed_models": failed, **known}
