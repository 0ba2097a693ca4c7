"""The live table on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from fusion_tool.cli.progress.board import Board, State
from fusion_tool.cli.text import dollars, line, seconds

_STYLES: dict[State, str] = {
    "waiting": "dim",
    "working": "cyan",
    "answered": "green",
    "failed": "red",
    "done": "green",
    "skipped": "dim",
}
_A_SECOND = 4


@contextmanager
def live_table(board: Board, console: Console, *, until_answer: bool) -> Iterator[None]:
    """Show the table until the context ends or, with `until_answer`, the answer begins."""
    spinner = Spinner("dots", style="cyan")
    live = Live(
        get_renderable=lambda: table(board, spinner),
        console=console,
        refresh_per_second=_A_SECOND,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # a pipe gets what is written to it, and the table does not mind
    )

    def listen(event: Any) -> None:
        if until_answer and event["type"] == "synthesis.delta":
            live.stop()

    board.listeners.append(listen)
    try:
        with live:
            yield
    finally:
        board.listeners.remove(listen)


def table(board: Board, spinner: Spinner) -> Table:
    """The run at this moment: a row a seat, then the judge and the synthesis."""
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("seat", "state"):
        grid.add_column(name, no_wrap=True)
    for name in ("tools", "time", "cost"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column()
    for seat in board.seats.values():
        took = seat.seconds
        if seat.state == "working" and seat.started is not None:
            took = board.elapsed - seat.started
        cost = dollars(seat.cost_usd) if seat.answers or seat.state == "failed" else ""
        tools = str(seat.tools or "")
        time = "" if took is None else seconds(took)
        grid.add_row(Text(line(seat.label, 32)), _state(seat.state), tools, time, cost, _note(seat.note or seat.model))
    grid.add_row("judge", _state(board.judge), "", "", "", _note(board.compared))
    written = f"{board.written} characters" if board.written else ""
    grid.add_row("synthesis", _state(board.writing), "", "", "", _note(written))
    whole = Table.grid()
    whole.add_row(grid)
    wave = f", wave {board.wave}" if board.wave > 1 else ""
    spinner.update(text=Text(f" {board.elapsed:.0f} s{wave}", "dim"))
    whole.add_row(spinner)
    return whole


def _state(state: State) -> Text:
    return Text(state, _STYLES[state])


def _note(text: str) -> Text:
    # The column gives way to the others on a narrow terminal, and its text is cut instead of wrapped.
    return Text(line(text), "dim", no_wrap=True, overflow="ellipsis")
