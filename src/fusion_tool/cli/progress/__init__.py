"""A run as it goes, on stderr: a live table on a terminal, plain lines elsewhere, or nothing.

board   what is known so far, out of the events
live    the table
lines   the lines
"""

import sys
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console

from fusion_tool.cli.progress.board import Board


def shown(board: Board, console: Console, *, quiet: bool, until_answer: bool) -> AbstractContextManager[None]:
    """Show `board` on `console` while the context is open.

    Args:
        board: Is fed the run's events by the caller.
        console: Writes to stderr.
        quiet: Show nothing.
        until_answer: Take the table away when the answer begins, since it is written to the same terminal.
    """
    if quiet:
        return nullcontext()
    if sys.stderr.isatty() and not console.is_dumb_terminal:
        from fusion_tool.cli.progress.live import live_table

        return live_table(board, console, until_answer=until_answer)
    from fusion_tool.cli.progress.lines import plain_lines

    return plain_lines(board, console)
