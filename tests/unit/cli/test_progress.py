"""The board folds the events; the table and the lines show it."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.spinner import Spinner

from fusion_tool.cli.outputs import Answer
from fusion_tool.cli.progress.board import Board
from fusion_tool.cli.progress.lines import plain_lines
from fusion_tool.cli.progress.live import live_table, table

_PLAN = {"type": "plan.chosen", "t": 0.0, "strategy": "panel", "seats": ["a", "b"], "reason": "all"}
_RUN = [
    _PLAN,
    {"type": "panelist.started", "t": 0.1, "seat": "a", "model": "p:a", "wave": 1},
    {"type": "panelist.started", "t": 0.1, "seat": "b", "model": "p:b", "wave": 1},
    {"type": "panelist.tool", "t": 0.5, "seat": "a", "tool": "web_search", "query": "moons\x1b[2J", "found": 3},
    {"type": "panelist.answered", "t": 2.0, "seat": "a", "model": "p:a", "seconds": 1.9, "cost_usd": 0.01},
    {"type": "panelist.failed", "t": 3.0, "seat": "b", "model": "p:b", "reason": "auth", "message": "no key"},
    {"type": "panel.closed", "t": 3.0, "answered": 1, "failed": 1},
]
_DELTA = {"type": "synthesis.delta", "t": 5.0, "text": "Titan", "attempt": 1}


def _board(*events: Any) -> Board:
    board = Board()
    for event in events:
        board.observe(event)
    return board


def _drawn(board: Board, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table(board, Spinner("dots")))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_shows_state_tools_time_and_cost() -> None:
    rows = {row.split()[0]: row.split() for row in _drawn(_board(*_RUN)).splitlines() if row.strip()}
    assert rows["a"][1:6] == ["answered", "1", "1.9", "s", "$0.0100"]
    assert rows["b"][1:] == ["failed", "2.9", "s", "unknown", "auth:", "no", "key"]
    assert rows["judge"][1] == "skipped"
    assert rows["synthesis"][1] == "waiting"


@pytest.mark.parametrize("width", [30, 60, 100])
def test_the_table_keeps_its_height_on_a_narrow_terminal(width: int) -> None:
    assert len(_drawn(_board(*_RUN), width).rstrip().splitlines()) == 6


def test_a_seat_at_work_is_timed() -> None:
    board = _board(*_RUN[:3])
    assert board.working == ["a", "b"]
    assert board.elapsed >= 0.1


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (_RUN[:3], "spent so far: unknown"),
        (_RUN, "spent so far: $0.0100 by 1 answered seats; other calls are unknown"),
    ],
)
def test_what_was_spent_is_said_as_far_as_it_is_known(events: list[Any], said: str) -> None:
    assert _board(*events).spent == said


def test_another_writer_starts_anew() -> None:
    board = _board(*_RUN, _DELTA, {**_DELTA, "text": "It is Titan", "attempt": 2})
    assert (board.attempt, board.written) == (2, len("It is Titan"))


def test_the_live_table_leaves_when_the_answer_begins() -> None:
    out = io.StringIO()
    board, console = Board(), Console(file=out, force_terminal=True, width=100)
    with live_table(board, console, until_answer=True):
        for event in _RUN:
            board.observe(event)
        board.observe(_DELTA)
        before = len(out.getvalue())
        board.observe({**_DELTA, "text": "!"})
        assert len(out.getvalue()) == before
    assert board.listeners == []


async def test_lines_give_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.setattr("fusion_tool.cli.progress.lines._SILENCE", 0.0)
    out, seen = io.StringIO(), asyncio.Event()
    board, console = _board(*_RUN[:3]), Console(file=out, width=100)
    write = out.write
    monkeypatch.setattr(out, "write", lambda text: (write(text), seen.set())[0])
    with plain_lines(board, console):
        await asyncio.wait_for(seen.wait(), 5)
    assert "working: a, b" in out.getvalue()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_watched_answer_is_streamed_and_a_broken_one_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    answer = Answer()
    answer.observe({**_DELTA, "text": "Tri"})
    assert screen.getvalue() == "Tri"
    answer.observe({**_DELTA, "text": "Titan", "attempt": 2})
    assert screen.getvalue() == "Tri\n\n[that answer broke off; this one replaces it]\n\nTitan"


def test_an_unwatched_answer_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stdout", pipe)
    Answer().observe(_DELTA)
    assert pipe.getvalue() == ""
