"""`-v` and `-vv`: what the package itself logs, on stderr. Never other packages' logs: those hold prompts."""

import logging
import sys
from typing import Annotated

import typer

Verbosity = Annotated[
    int, typer.Option("-v", "--verbose", count=True, show_default=False, help="Log to stderr; -vv logs more.")
]
_LEVELS = {0: logging.WARNING, 1: logging.INFO}


class _Line(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from fusion_tool.cli.text import line
        from fusion_tool.models.faults import scrub

        # Looked up at each record: a live table on the terminal replaces stderr while it is shown.
        print(f"{record.levelname.lower()}: {line(scrub(record.getMessage()), 500)}", file=sys.stderr)  # noqa: T201 - stderr is where logs go


def log_to_stderr(verbosity: int, *, quiet: bool = False) -> None:
    """Log the package's records: warnings, with 1 information, with 2 all; with `quiet` errors alone."""
    logger = logging.getLogger("fusion_tool")
    logger.handlers[:] = [_Line()]
    logger.propagate = False
    logger.setLevel(logging.ERROR if quiet and not verbosity else _LEVELS.get(verbosity, logging.DEBUG))
