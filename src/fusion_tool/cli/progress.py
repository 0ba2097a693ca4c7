"""The progress of a run on stderr: a live table on a terminal, plain lines elsewhere, or nothing."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from fusion_tool.cli import terminal
from fusion_tool.cli.run_view import RunView, State
from fusion_tool.events import format_seconds, format_usd, one_line
from fusion_tool.graph.event_lines import describe, tool_outcome


def show_progress(view: RunView, console: Console, *, quiet: bool, until_answer: bool) -> AbstractContextManager[None]:
    """Show `view` on `console` while the context is open.

    Args:
        view: The state of the run; the caller feeds it the run's events.
        console: The console of stderr.
        quiet: Whether nothing is shown.
        until_answer: Whether the table goes when the answer begins, because both are written to one terminal.
    """
    if quiet:
        return nullcontext()
    # A dumb terminal, such as Emacs' shell, cannot move its cursor: each redrawn table would be appended.
    if sys.stderr.isatty() and not console.is_dumb_terminal:
        return live_table(view, console, until_answer=until_answer)
    return plain_lines(view, console)


@contextmanager
def plain_lines(view: RunView, console: Console) -> Iterator[None]:
    """Write a line for each event that tells something new; enter it on the run's event loop, whose timer it uses."""
    lines = _Lines(view, console)
    view.listeners.append(lines.listen)
    try:
        yield
    finally:
        view.listeners.remove(lines.listen)
        lines.timer.cancel()


class _Lines:
    def __init__(self, view: RunView, console: Console) -> None:
        self._view, self._console = view, console
        self.timer = self._start_timer()

    def listen(self, event: Any) -> None:
        text = event_line(event, self._view)
        if text is not None:
            self.timer.cancel()
            self._write(text)

    def _write_active(self) -> None:
        expected = f"; {self._view.expected} in all" if self._view.expected else ""
        self._write(f"working: {', '.join(self._view.active_seats) or 'starting'}{expected}")

    def _write(self, text: str) -> None:
        # One line an event, however long: a log that is searched or cut up by lines must not be wrapped.
        self._console.print(Text(f"[{self._view.elapsed_seconds:6.1f} s] {text}"), soft_wrap=True)
        self.timer = self._start_timer()

    def _start_timer(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(terminal.SILENCE, self._write_active)


def event_line(event: Any, view: RunView) -> str | None:  # noqa: C901, PLR0911 - one line an event
    """Return the event as one line; `None` where it tells nothing new.

    Args:
        event: The event, which `view` has taken in already.
        view: The state of the run.
    """
    # Labels, queries and messages are strangers' texts: `one_line` takes line breaks and terminal escapes out of them.
    seat = one_line(str(event.get("seat", "")), 32)
    match event["type"]:
        case "plan.chosen":
            expected = f"; {view.expected} on this machine" if view.expected else ""
            return one_line(f"{event['reason']}: {', '.join(event['seats'])}{expected}", 400)
        case "wave.started" if event["wave"] > 1:  # the plan's line has named the first wave
            return f"wave {event['wave']}: {one_line(', '.join(event['seats']))}"
        case "panelist.started":
            return f"{seat}: asked ({one_line(event['model'], 64)})"
        case "trial.started" | "trial.completed":
            return describe(event)
        case "panelist.tool":
            tool, query = one_line(event["tool"], 32), one_line(event["query"], 80)
            return f"{seat}: {tool} {query!r}, {tool_outcome(event)}"
        case "panelist.answered":
            took, cost = format_seconds(event["seconds"]), format_usd(event["cost_usd"])
            return f"{seat}: answered in {took}, cost {cost} ({one_line(event['model'], 64)})"
        case "panelist.failed":
            return f"{seat}: failed, {one_line(event['reason'] + ': ' + event['message'])}"
        case "panel.closed":
            return f"the panel has closed: {event['answered']} answered, {event['failed']} failed"
        case "judge.completed":
            return f"compared: {view.compared}"
        case "synthesis.delta" if view.characters_written == len(event["text"]):  # the first piece of its attempt
            again, writer = "" if view.attempt == 1 else " anew", f" ({view.writer})" if view.writer else ""
            return f"the answer is being written{again}{writer}"
        case "verification.completed":
            return describe(event)
        case "run.completed" if event["result"].get("cached"):
            return f"from the cache: the same was asked at {one_line(event['result']['created_at'], 40)}"
    return None


_STYLES: dict[State, str] = {
    "waiting": "dim",
    "working": "cyan",
    "answered": "green",
    "failed": "red",
    "done": "green",
    "skipped": "dim",
}
_FRAMES_PER_SECOND = 4


@contextmanager
def live_table(view: RunView, console: Console, *, until_answer: bool) -> Iterator[None]:
    """Show the table until the context ends or, with `until_answer`, the answer begins."""
    # One for all frames: a spinner counts its animation from when it was first drawn.
    spinner = Spinner("dots", style="cyan")
    live = Live(
        # Called for each frame, so that the seconds go on while no event comes.
        get_renderable=lambda: table(view, spinner),
        console=console,
        refresh_per_second=_FRAMES_PER_SECOND,
        transient=True,
        # On one terminal rich must print stdout above the table; into a pipe it would write the answer to stderr.
        redirect_stdout=sys.stdout.isatty(),
    )

    def listen(event: Any) -> None:
        # Before the first call, and above the table, where it stays: who waits for minutes wants to know it.
        if event["type"] == "plan.chosen" and view.expected:
            console.print(Text(event_line(event, view) or ""), soft_wrap=True)
        if until_answer and event["type"] == "synthesis.delta":
            live.stop()

    view.listeners.append(listen)
    try:
        with live:
            yield
    finally:
        view.listeners.remove(listen)


def table(view: RunView, spinner: Spinner) -> Table:
    """Return the state of the run as a table: a row for each seat, then the judge and the synthesis.

    Args:
        view: The state of the run.
        spinner: The animation below the rows, with the seconds so far.
    """
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("seat", "state"):
        grid.add_column(name, no_wrap=True)
    for name in ("tools", "time", "cost"):
        grid.add_column(name, justify="right", no_wrap=True)
    grid.add_column()
    for seat in view.seats.values():
        seconds = seat.seconds
        if seat.state == "working" and seat.started is not None:
            seconds = view.elapsed_seconds - seat.started
        # Empty before there was a call; of a seat that failed it is unknown, which is not the same.
        cost = format_usd(seat.cost_usd) if seat.answers or seat.state == "failed" else ""
        tools = str(seat.tools or "")
        time = "" if seconds is None else format_seconds(seconds)
        grid.add_row(
            Text(one_line(seat.label, 32)), _state(seat.state), tools, time, cost, _note(seat.note or seat.model)
        )
    grid.add_row("judge", _state(view.judge), "", "", "", _note(view.compared))
    written = f"{view.characters_written} characters, {view.writer}".rstrip(", ") if view.characters_written else ""
    grid.add_row("synthesis", _state(view.writing), "", "", "", _note(written))
    whole = Table.grid()
    whole.add_row(grid)
    wave = f", wave {view.wave}" if view.wave > 1 else ""
    expected = f" of {view.expected}" if view.expected else ""
    spinner.update(text=Text(f" {view.elapsed_seconds:.0f} s{expected}{wave}", "dim"))
    whole.add_row(spinner)
    return whole


def _state(state: State) -> Text:
    return Text(state, _STYLES[state])


def _note(text: str) -> Text:
    # The column gives way to the others on a narrow terminal, and its text is cut instead of wrapped.
    return Text(one_line(text), "dim", no_wrap=True, overflow="ellipsis")
