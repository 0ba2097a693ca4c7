"""The events are a closed set, and every node that emits one fills it in; events as lines."""

import unicodedata
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fusion_tool
from fusion_tool import astream, events
from fusion_tool.events import format_cost, format_seconds, format_usd, one_line, plain_line, printable
from fusion_tool.graph.event_lines import describe
from fusion_tool.testing import fake_config

COMMON = {"type", "run_id", "t"}
KINDS = {get_args(get_type_hints(kind)["type"])[0]: kind for kind in get_args(events.Event)}


def test_the_kinds_are_those_of_the_contract():
    assert list(KINDS) == [
        "run.started",
        "plan.chosen",
        "wave.started",
        "panelist.started",
        "trial.started",
        "trial.completed",
        "panelist.tool",
        "panelist.answered",
        "panelist.failed",
        "panel.closed",
        "judge.completed",
        "synthesis.delta",
        "verification.completed",
        "run.completed",
    ]


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_every_event_says_what_run_and_when(kind):
    assert kind.__required_keys__ >= COMMON


async def test_what_is_sent_has_its_kinds_fields_and_no_others():
    failing = RuntimeError("this model is down")
    sent = [event async for event in astream("When was the mill built?", fake_config("In 1861.", "In 1871.", failing))]
    # These seats have no tools, and so nothing to cite that a second reader could read.
    assert {event["type"] for event in sent} == set(KINDS) - {
        "panelist.tool",
        "verification.completed",
        "trial.started",
        "trial.completed",
    }
    for event in sent:
        assert event.keys() == KINDS[event["type"]].__required_keys__


def test_every_kind_is_sent_somewhere():
    package = Path(fusion_tool.__file__).parent
    written = "".join(file.read_text("utf-8") for file in package.rglob("*.py") if file.name != "events.py")
    assert [kind for kind in KINDS if f'"{kind}"' not in written] == []


@given(st.text(), st.text())
def test_a_line_is_one_line_whatever_a_model_says(seat, said):
    events = [
        {"type": "panelist.tool", "seat": seat, "tool": said, "query": said, "found": 1},
        {"type": "panelist.failed", "seat": seat, "reason": "auth", "message": said},
        {"type": "plan.chosen", "reason": said, "seats": [seat]},
    ]
    for event in events:
        line = describe(event)
        assert line is not None
        assert line.isprintable()
        assert len(line) <= 200


@pytest.mark.parametrize("kind", ["run.started", "synthesis.delta", "run.completed"])
def test_what_is_no_news_is_not_told(kind):
    assert describe({"type": kind}) is None


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ((2, 1, 0, 0), "citations verified: 2 carried, 1 contradicted (p:m)"),
        ((0, 0, 3, 4), "citations verified: 3 unmentioned, 4 unread (p:m)"),
    ],
)
def test_a_second_readers_verdicts_are_counted_in_words(counts, line):
    fields = dict(zip(("supports", "contradicts", "says_nothing", "unread"), counts, strict=True))
    assert describe({"type": "verification.completed", "model": "p:m", **fields}) == line


TRIALS = [
    pytest.param(True, False, None, "p:m: calls tools, cites nothing; asked for claims", id="tried"),
    pytest.param(None, None, "timeout: late", "p:m: not tried, timeout: late; asked for claims", id="failed"),
]


@pytest.mark.parametrize(("calls", "cites", "failure", "line"), TRIALS)
def test_a_trial_is_told_with_what_follows(calls, cites, failure, line):
    event = {"model": "p:m", "calls_tools": calls, "cites": cites, "failure": failure, "path": "claims"}
    assert describe({"type": "trial.completed", **event}) == line


def test_only_a_further_wave_is_news():
    assert describe({"type": "wave.started", "wave": 1, "seats": ["a"]}) is None
    assert describe({"type": "wave.started", "wave": 2, "seats": ["a", "b"]}) == "wave 2: a, b"


@given(st.text())
def test_nothing_printable_steers_a_terminal(text: str) -> None:
    kept = printable(text)
    assert {c for c in kept if unicodedata.category(c) == "Cc"} <= {"\t", "\n"}
    assert printable(kept) == kept


@given(st.lists(st.text(), max_size=5))
def test_pieces_are_cleaned_as_their_whole(pieces: list[str]) -> None:
    assert "".join(map(printable, pieces)) == printable("".join(pieces))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n\tb\x07 \ud800c", "a b c"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\u200db\U000e0041c", "a b c"),  # a joiner, and a tag that models read and people do not see
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_a_strangers_line_holds_nothing_that_cannot_be_seen(text: str, line: str) -> None:
    assert plain_line(text) == line


@given(st.text(), st.integers(1, 50))
def test_a_line_is_one_line_and_fits(text: str, longest: int) -> None:
    assert len(one_line(text, longest)) <= longest
    assert len(one_line(text, longest).splitlines()) <= 1


@pytest.mark.parametrize(("cost", "shown"), [(None, "unknown"), (0.0, "$0.0000"), (0.12345, "$0.1235")])
def test_unknown_is_never_zero(cost: float | None, shown: str) -> None:
    assert format_usd(cost) == shown
    assert format_seconds(None) == "unknown"


@pytest.mark.parametrize(
    ("cost", "unpriced", "told"),
    [(None, 0, "nothing"), (None, 2, "unknown"), (0.25, 0, "$0.2500"), (0.25, 2, "$0.2500 + 2 of unknown cost")],
)
def test_a_bill_without_calls_is_nothing_and_one_without_prices_unknown(cost, unpriced, told):
    assert format_cost(cost, unpriced) == told
