"""The board folds the events; the table and the lines show it."""

import io
import threading
from typing import Any

import pytest
from rich.console import Console
from rich.spinner import Spinner

from fusion_tool.cli.output import AnswerOutput
from fusion_tool.cli.progress import event_line, live_table, plain_lines, table
from fusion_tool.cli.run_view import RunView
from fusion_tool.cli.terminal import signs_of_life

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
_DELTA = {"type": "synthesis.delta", "t": 5.0, "text": "Titan", "attempt": 1, "model": "p:writer"}


def _board(*events: Any) -> RunView:
    board = RunView()
    for event in events:
        board.observe(event)
    return board


def _drawn(board: RunView, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(table(board, Spinner("dots")))
    return console.file.getvalue()  # type: ignore[attr-defined] # a StringIO


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
    assert board.active_seats == ["a", "b"]
    assert board.elapsed_seconds >= 0.1


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (_RUN[:3], "an unknown sum"),
        (_RUN, "$0.0100 by 1 answered seats; other calls are unknown"),
    ],
)
def test_what_was_spent_is_said_as_far_as_it_is_known(events: list[Any], said: str) -> None:
    assert _board(*events).spent == said


def test_another_writer_starts_anew() -> None:
    board = _board(*_RUN, _DELTA, {**_DELTA, "text": "It is Titan", "attempt": 2})
    assert (board.attempt, board.characters_written) == (2, len("It is Titan"))


def test_the_live_table_leaves_when_the_answer_begins() -> None:
    out = io.StringIO()
    board, console = RunView(), Console(file=out, force_terminal=True, width=100)
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

    monkeypatch.setattr("fusion_tool.cli.terminal.SILENCE", 0.0)
    out, seen = io.StringIO(), asyncio.Event()
    board, console = _board(*_RUN[:3]), Console(file=out, width=100)
    write = out.write
    monkeypatch.setattr(out, "write", lambda text: (write(text), seen.set())[0])
    with plain_lines(board, console):
        await asyncio.wait_for(seen.wait(), 5)
    assert "working: a, b" in out.getvalue()


def test_what_takes_long_elsewhere_gives_a_sign_of_life_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusion_tool.cli.terminal.SILENCE", 0.001)
    out, seen = io.StringIO(), threading.Event()
    write = out.write
    monkeypatch.setattr(out, "write", lambda text: (write(text), seen.set())[0])
    with signs_of_life(Console(file=out, width=100), lambda: "checking its SHA-256"):
        assert seen.wait(5)
    assert out.getvalue().startswith("checking its SHA-256, 0 s\n")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (130.0, "all: a, b; about 2 minutes on this machine"),
        (31.0, "all: a, b; about 30 seconds on this machine"),
        (2.0, "all: a, b"),
        (None, "all: a, b"),
    ],
)
def test_how_long_it_takes_is_told_before_the_first_call(seconds: float | None, said: str) -> None:
    event = {**_PLAN, "expected_seconds": seconds}
    assert event_line(event, _board(event)) == said


def test_how_long_it_takes_stays_above_the_table() -> None:
    out = io.StringIO()
    board, console = RunView(), Console(file=out, force_terminal=True, width=100)
    with live_table(board, console, until_answer=False):
        board.observe({**_PLAN, "expected_seconds": 130.0})
        assert "of about 2 minutes" in _drawn(board)
    assert "about 2 minutes on this machine" in out.getvalue()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_watched_answer_is_streamed_and_a_broken_one_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    answer = AnswerOutput()
    answer.observe({**_DELTA, "text": "Tri"})
    assert screen.getvalue() == "Tri"
    answer.observe({**_DELTA, "text": "Titan", "attempt": 2})
    assert screen.getvalue() == "Tri\n\n[that answer broke off; this one replaces it]\n\nTitan"


def test_an_unwatched_answer_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    monkeypatch.setattr("sys.stdout", pipe)
    AnswerOutput().observe(_DELTA)
    assert pipe.getvalue() == ""


def _wave(number: int, *seats: str) -> dict[str, Any]:
    return {"type": "wave.started", "t": 4.0 * number, "wave": number, "seats": list(seats)}


def _answered(seat: str, cost: float | None, t: float = 9.0) -> dict[str, Any]:
    return {"type": "panelist.answered", "t": t, "seat": seat, "model": "p:a", "seconds": 1.0, "cost_usd": cost}


_JUDGED = {"type": "judge.completed", "t": 4.0, "model": "p:judge", "consensus": 2, "contradictions": 1}
_AGAIN = {"type": "panelist.started", "t": 8.0, "seat": "a", "model": "p:a", "wave": 2}


def _states(board: RunView) -> dict[str, str]:
    return {seat.label: seat.state for seat in board.seats.values()}


def test_a_second_wave_begins_anew_and_keeps_what_was_spent() -> None:
    board = _board(*_RUN, _JUDGED, _wave(2, "a"), _AGAIN)
    assert (board.judge, board.writing, board.wave) == ("waiting", "waiting", 2)
    assert board.seats["a"].state == "working"
    assert board.spent.startswith("$0.0100 by 1 ")
    drawn = {row.split()[0]: row.split() for row in _drawn(board).splitlines() if row.strip()}
    assert drawn["a"][1:3] == ["working", "1"]
    assert "$0.0100" in drawn["a"]
    assert "wave 2" in _drawn(board)


@pytest.mark.parametrize(("cost", "sum_"), [(0.02, 0.03), (None, None)])
def test_a_seats_cost_is_that_of_all_its_answers(cost: float | None, sum_: float | None) -> None:
    total = _board(*_RUN, _wave(2, "a"), _AGAIN, _answered("a", cost)).seats["a"].cost_usd
    assert total == (None if sum_ is None else pytest.approx(sum_))


@pytest.mark.parametrize(
    ("strategy", "answered", "judge"),
    [
        ("panel", 2, "working"),
        ("panel", 1, "skipped"),
        ("solo", 1, "skipped"),
        ("chain", 1, "working"),
        ("chain", 0, "skipped"),
        ("cascade", 2, "working"),
    ],
)
def test_the_judge_works_where_there_is_something_to_judge(strategy: str, answered: int, judge: str) -> None:
    closed = {"type": "panel.closed", "t": 3.0, "answered": answered, "failed": 0}
    assert _board({**_PLAN, "strategy": strategy}, closed).judge == judge


def test_seats_and_a_judge_that_were_not_needed_are_skipped_once_the_answer_begins() -> None:
    closed = {"type": "panel.closed", "t": 3.0, "answered": 1, "failed": 0}
    board = _board({**_PLAN, "strategy": "chain"}, _answered("a", None), closed, _DELTA)
    assert _states(board) == {"a": "answered", "b": "skipped"}
    assert (board.judge, board.writing) == ("skipped", "working")


def test_a_judge_that_was_heard_in_an_earlier_wave_is_heard_again() -> None:
    again = {**_JUDGED, "consensus": 5, "contradictions": 0}
    board = _board(*_RUN, _JUDGED, _wave(2, "a"), _AGAIN, _answered("a", 0.1), _RUN[-1], again, _DELTA)
    assert (board.judge, board.compared) == ("done", "5 agreed, 0 disputed (p:judge)")


def test_the_table_names_who_did_the_work_not_who_was_to_do_it() -> None:
    """Fallbacks answer, judge and write under the names of their own."""
    answered = {**_answered("a", 0.1), "model": "p:spare"}
    judged, written = {**_JUDGED, "model": "p:second"}, {**_DELTA, "attempt": 2, "model": "p:third"}
    rows = {
        row.split()[0]: row.rstrip() for row in _drawn(_board(*_RUN[:4], answered, judged, written)).splitlines() if row
    }
    assert rows["a"].endswith("p:spare")
    assert rows["judge"].endswith("2 agreed, 1 disputed (p:second)")
    assert rows["synthesis"].endswith("5 characters, p:third")


_CACHED = [
    {"type": "run.started", "t": 0.0, "question": "q"},
    {"type": "run.completed", "t": 0.1, "result": {"cached": True, "created_at": "2026-01-01T00:00:00+00:00"}},
]


def test_a_result_from_the_cache_asks_nobody() -> None:
    board = _board(*_CACHED)
    assert (board.judge, board.writing, board.seats) == ("skipped", "skipped", {})
    assert "skipped" in _drawn(board)


async def test_lines_tell_waves_another_writer_and_the_cache() -> None:
    out = io.StringIO()
    board = RunView()
    with plain_lines(board, Console(file=out, width=100)):
        for event in [*_RUN, _JUDGED, _wave(2, "a"), _AGAIN, _answered("a", 0.1), _DELTA, _DELTA]:
            board.observe(event)
        board.observe({**_DELTA, "attempt": 2, "model": "p:spare"})
        board.observe(_CACHED[1])
    told = [row.split("] ", 1)[1] for row in out.getvalue().splitlines()]
    assert told[-6:] == [
        "wave 2: a",
        "a: asked (p:a)",
        "a: answered in 1.0 s, cost $0.1000 (p:a)",
        "the answer is being written (p:writer)",
        "the answer is being written anew (p:spare)",
        "from the cache: the same was asked at 2026-01-01T00:00:00+00:00",
    ]
