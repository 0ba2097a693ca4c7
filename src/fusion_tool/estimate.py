"""What a run will cost, before anything is spent: expected by stated assumptions, at worst by the budget's own bounds.

The worst case drives a `budget.Ledger` without a limit through every call that may be charged: all tool turns, the
judge's second try, all fallbacks. Under a limit it is what the limit leaves to the stage.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from fusion_tool.affordable import check_limits
from fusion_tool.analysis import shape
from fusion_tool.budget import TOOLS_BYTES, Ledger, Tab, shares
from fusion_tool.config import FusionConfig, Limits, Panelist
from fusion_tool.errors import BudgetExceeded, ConfigError
from fusion_tool.pricing import cost_of, is_priced
from fusion_tool.prompts import render
from fusion_tool.usage import Stage

BYTES_A_TOKEN = 4
"""Bytes of prompt a token: the common rule of thumb for English."""
ANSWER_TOKENS = 2000
"""A seat's answer or the final one. A page and a half of text has about 1,000; reasoning is billed as output too."""
ANALYSIS_TOKENS = 2000
"""The judge's comparison; likewise half of it is reasoning."""
TURN_TOKENS = 300
"""What a model writes to call one tool: short reasoning and the call."""
RESULT_TOKENS = 2500
"""What one tool call adds to the prompts after it: between six search results (about 1,000) and a page (4,000)."""

WORST_BYTES_A_TOKEN = 6
"""Bytes of text that one token of a model's answer becomes in a later prompt: Cyrillic or Hindi, from above."""
WORST_RESULT_BYTES = 48_000
"""One window of a page: 16,000 characters of three bytes. A caller's own tools may return more."""
WORST_GROWTH = 2
"""How much longer than the judge's reply its comparison may stand in the synthesizer's prompt."""
EXTRA_TURNS = 3
"""Model calls that a seat may make beyond its tool calls, as its loop allows."""

ASSUMPTIONS = (
    f"every seat makes all its tool calls, one a turn; each adds {RESULT_TOKENS:,} tokens to the prompts after it",
    f"a tool turn writes {TURN_TOKENS:,} tokens, an answer {ANSWER_TOKENS:,}, a comparison {ANALYSIS_TOKENS:,}",
    f"{BYTES_A_TOKEN} bytes of prompt a token; no cache discount; no fallback is needed; search fees not counted",
    "at worst: every call that may be charged, all fallbacks among them, each as long as a limit lets it be",
)
"""What the figures rest on, for people."""

_NONCE, _DATE = "0" * 12, "2026-01-01"
_HEADING_BYTES = 160
"""What stands around one answer in a prompt."""


class Amount(BaseModel):
    """Tokens and dollars; `usd` is `None` where no price is known."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0


class Row(BaseModel):
    """One seat, the judge or the synthesizer: what it is expected to take, and at most."""

    model_config = ConfigDict(frozen=True)

    stage: Stage
    seat: str | None
    model: str
    expected: Amount
    worst: Amount


class Versus(BaseModel):
    """One model asked alone with the same tools; `ratio` is the run's expected dollars over its own."""

    model_config = ConfigDict(frozen=True)

    model: str
    expected: Amount
    ratio: float | None


class Estimate(BaseModel):
    """A run's bill in advance.

    Sums count the priced models alone; `unpriced` names the others. `refused` says why the run would not begin.
    """

    model_config = ConfigDict(frozen=True)

    rows: list[Row]
    expected: Amount
    worst: Amount
    unpriced: list[str]
    versus: list[Versus]
    refused: str | None
    assumptions: list[str] = list(ASSUMPTIONS)


def estimate(config: FusionConfig, question: str, *, context: str = "", versus: Iterable[str] = ()) -> Estimate:
    """The expected and the worst bill of one run. Nothing is asked of anybody.

    Args:
        config: The run's configuration.
        question: What would be asked.
        context: What is already known.
        versus: Models, `"provider:model"`, each priced as if asked alone.
    """
    sizes = _sizes(config, len((question + context).encode(errors="replace")))
    seats = config.panel[:1] if config.strategy == "solo" else config.panel
    rows = [_seat(one, label, sizes, config, len(seats)) for one, label in zip(seats, config.seat_labels, strict=False)]
    later: list[tuple[str, Panelist]] = []
    if config.strategy != "solo":
        if len(seats) > 1:  # one answer is compared with nothing
            later.append(("judge", config.judge_or_default))
            rows.append(_judge(sizes, config))
        later.append(("synthesizer", config.synthesizer_or_default))
        rows.append(_synthesizer(sizes, config))
    roles = [*((f"panel.{i}", seat) for i, seat in enumerate(seats)), *later]
    expected = _sum(row.expected for row in rows)
    alone = [(name, _turns_of_a_seat(name, None, sizes)) for name in versus]
    return Estimate(
        rows=rows,
        expected=expected,
        worst=_capped(_sum(row.worst for row in rows), config.limits, 1.0),
        unpriced=[
            name for name in dict.fromkeys(name for _, one in roles for name in _models(one)) if not is_priced(name)
        ],
        versus=[Versus(model=name, expected=one, ratio=_ratio(expected.usd, one.usd)) for name, one in alone],
        refused=_refused(config, roles, question + context),
    )


class _Sizes(NamedTuple):
    """Bytes of the prompts without what models write, and the tool calls that a seat may make."""

    seat: int
    judge: int
    synthesizer: int
    turns: int


def _sizes(config: FusionConfig, asked: int) -> _Sizes:
    tools = config.search is not None or config.documents is not None or config.bash != "off"
    turns = config.max_tool_calls if tools else 0
    hint = render("panelist_tools", calls=turns) if turns else ""
    system = f"{render('panelist', nonce=_NONCE, today=_DATE)}\n\n{hint}".strip()
    user = render("question", question="", context="", evidence="")
    judge = render("judge", nonce=_NONCE, shape=shape(["A", "B"]), also="") + render(
        "judge_answers", question="", answers=""
    )
    material = render("synthesizer_material", question="", context="", answers="", analysis="")
    writer = render("synthesizer", nonce=_NONCE, today=_DATE, wishes="") + material
    framed = asked + len("systemhuman")  # each message is framed by its role
    sizes = [len(text.encode()) + framed for text in (system + user, judge, writer)]
    return _Sizes(sizes[0], sizes[1], sizes[2], turns)


def _seat(one: Panelist, label: str, sizes: _Sizes, config: FusionConfig, seats: int) -> Row:
    prompts = [sizes.seat]
    if sizes.turns:  # all results in the second prompt already, and every turn as long as it may be
        base, results = sizes.seat + TOOLS_BYTES, sizes.turns * WORST_RESULT_BYTES
        later = range(1, sizes.turns + EXTRA_TURNS)
        prompts = [base, *(base + results + turn * _answer_bytes(one) for turn in later)]
    return Row(
        stage="panelist",
        seat=label,
        model=one.model_name,
        expected=_turns_of_a_seat(one.model_name, one.max_tokens, sizes),
        worst=_capped(_reserved("panelist", one, prompts), config.limits, shares(config.strategy)["panelist"] / seats),
    )


def _judge(sizes: _Sizes, config: FusionConfig) -> Row:
    one = config.judge_or_default
    asked = sizes.judge + _answers_bytes(config)
    corrected = asked + _answer_bytes(one) + sizes.judge  # what it said, and what was wrong with it
    prompt = sizes.judge // BYTES_A_TOKEN + len(config.panel) * ANSWER_TOKENS
    return Row(
        stage="judge",
        seat=None,
        model=one.model_name,
        expected=_priced(one.model_name, prompt, _at_most(ANALYSIS_TOKENS, one.max_tokens)),
        worst=_capped(_reserved("judge", one, [asked, corrected]), config.limits, shares(config.strategy)["judge"]),
    )


def _synthesizer(sizes: _Sizes, config: FusionConfig) -> Row:
    one, judge = config.synthesizer_or_default, config.judge_or_default
    asked = sizes.synthesizer + _answers_bytes(config) + WORST_GROWTH * _answer_bytes(judge)
    worst = [_reserved("synthesizer", one, [asked])]
    if judge.model_name not in _models(one):  # it writes where nobody else does
        worst.append(_reserved("synthesizer", judge.model_copy(update={"fallbacks": ()}), [asked]))
    prompt = sizes.synthesizer // BYTES_A_TOKEN + len(config.panel) * ANSWER_TOKENS + ANALYSIS_TOKENS
    return Row(
        stage="synthesizer",
        seat=None,
        model=one.model_name,
        expected=_priced(one.model_name, prompt, _at_most(ANSWER_TOKENS, one.max_tokens)),
        worst=_capped(_sum(worst), config.limits, 1.0),
    )


def _turns_of_a_seat(model: str, max_tokens: int | None, sizes: _Sizes) -> Amount:
    """A seat's expected calls: a prompt that grows by a result each turn, then the answer."""
    prompt = (sizes.seat + (TOOLS_BYTES if sizes.turns else 0)) // BYTES_A_TOKEN
    grown = RESULT_TOKENS + TURN_TOKENS
    turns = [_priced(model, prompt + turn * grown, TURN_TOKENS) for turn in range(sizes.turns)]
    return _sum([*turns, _priced(model, prompt + sizes.turns * grown, _at_most(ANSWER_TOKENS, max_tokens))])


def _reserved(stage: Stage, one: Panelist, prompts: Sequence[int]) -> Amount:
    """What a ledger without a limit reserves for these prompts, sent to every model of `one`."""
    tab = Tab(Ledger(usd=math.inf, tokens=None), stage)
    held = [tab.hold(name, size, one.max_tokens) for name in _models(one) for size in prompts]
    answers = sum(hold.max_tokens or 0 for hold in held)
    return Amount(
        input_tokens=sum(hold.tokens for hold in held) - answers,
        output_tokens=answers,
        usd=sum(hold.usd for hold in held) if all(map(is_priced, _models(one))) else None,
    )


def _capped(worst: Amount, limits: Limits, share: float) -> Amount:
    """`worst`, where a limit leaves this share of the run less: that."""
    room = math.inf if limits.tokens is None else limits.tokens * share
    return Amount(
        input_tokens=int(min(worst.input_tokens, room)),
        output_tokens=int(min(worst.output_tokens, room)),
        usd=worst.usd if limits.usd is None or worst.usd is None else min(worst.usd, limits.usd * share),
    )


def _priced(model: str, asked: int, answered: int) -> Amount:
    usd = cost_of(model, input_tokens=asked, output_tokens=answered)[0]
    return Amount(input_tokens=asked, output_tokens=answered, usd=usd)


def _sum(amounts: Iterable[Amount]) -> Amount:
    """All tokens, and the dollars of the priced; unknown where none is."""
    rows = list(amounts)
    known = [row.usd for row in rows if row.usd is not None]
    return Amount(
        input_tokens=sum(row.input_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        usd=sum(known) if known else None,
    )


def _models(one: Panelist) -> tuple[str, ...]:
    return one.model_name, *one.fallbacks


def _at_most(tokens: int, max_tokens: int | None) -> int:
    return tokens if max_tokens is None else min(tokens, max_tokens)


def _answer_bytes(one: Panelist) -> int:
    """What the longest answer that a limit lets `one` give becomes in a later prompt."""
    longest = Tab(Ledger(usd=math.inf, tokens=None), "panelist").hold(one.model_name, 0, one.max_tokens).max_tokens
    return WORST_BYTES_A_TOKEN * (longest or 0)


def _answers_bytes(config: FusionConfig) -> int:
    return sum(_answer_bytes(seat) + _HEADING_BYTES for seat in config.panel)


def _ratio(whole: float | None, alone: float | None) -> float | None:
    return None if whole is None or not alone else whole / alone


def _refused(config: FusionConfig, roles: Iterable[tuple[str, Panelist]], asked: str) -> str | None:
    try:
        check_limits(config, roles, asked)
    except (BudgetExceeded, ConfigError) as error:
        return str(error)
    return None
