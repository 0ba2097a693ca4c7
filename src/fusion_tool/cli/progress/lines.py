"""Plain lines where stderr is no terminal: one an event, and a sign of life in between."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.text import Text

from fusion_tool.cli.progress.board import Board
from fusion_tool.cli.text import dollars, line, seconds

_SILENCE = 15.0
"""Seconds after which a run that says nothing gives a sign of life."""


@contextmanager
def plain_lines(board: Board, console: Console) -> Iterator[None]:
    """Write a line for each event that is news; to be entered on the run's event loop."""
    lines = _Lines(board, console)
    board.listeners.append(lines.listen)
    try:
        yield
    finally:
        board.listeners.remove(lines.listen)
        lines.timer.cancel()


class _Lines:
    def __init__(self, board: Board, console: Console) -> None:
        self._board, self._console = board, console
        self.timer = self._wound()

    def listen(self, event: Any) -> None:
        text = news(event, self._board)
        if text is not None:
            self.timer.cancel()
            self._write(text)

    def _still_working(self) -> None:
        self._write(f"working: {', '.join(self._board.working) or 'starting'}")

    def _write(self, text: str) -> None:
        self._console.print(Text(f"[{self._board.elapsed:6.1f} s] {text}"), soft_wrap=True)
        self.timer = self._wound()

    def _wound(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(_SILENCE, self._still_working)


def news(event: Any, board: Board) -> str | None:  # noqa: C901, PLR0911 - one line an event
    """The event in one line, `None` where there is nothing to say."""
    seat = line(str(event.get("seat", "")), 32)
    match event["type"]:
        case "plan.chosen":
            return line(f"{event['reason']}: {', '.join(event['seats'])}")
        case "wave.started" if event["wave"] > 1:
            return f"wave {event['wave']}: {line(', '.join(event['seats']))}"
        case "panelist.started":
            return f"{seat}: asked ({line(event['model'], 64)})"
        case "panelist.tool":
            return f"{seat}: {line(event['tool'], 32)} {line(event['query'], 80)!r}, {event['found']} found"
        case "panelist.answered":
            return f"{seat}: answered in {seconds(event['seconds'])}, cost {dollars(event['cost_usd'])}"
        case "panelist.failed":
            return f"{seat}: failed, {line(event['reason'] + ': ' + event['message'])}"
        case "panel.closed":
            return f"the panel has closed: {event['answered']} answered, {event['failed']} failed"
        case "judge.completed":
            return f"compared: {board.compared}"
        case "synthesis.delta" if board.written == len(event["text"]):  # the first of its attempt
            return "the answer is being written" if board.attempt == 1 else "the answer is being written anew"
        case "run.completed" if event["result"].get("cached"):
            return f"from the cache: the same was asked at {line(event['result']['created_at'], 40)}"
    return None
