"""The rows of an estimate: of each seat, the judge, the synthesizer, the second reader, searches and first uses.

The worst case drives a `budget.Ledger` without a limit through every call that may be charged: all tool turns, the
judge's second try, the call over evidence, all fallbacks. Under a limit it is what the limit leaves to the stage.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from fusion_tool.budget.amounts import (
    ANALYSIS_TOKENS,
    ANSWER_TOKENS,
    BYTES_A_TOKEN,
    CITATIONS,
    EXTRA_TURNS,
    FLAGS_TOKENS,
    READ_TOKENS,
    RESULT_TOKENS,
    TURN_TOKENS,
    WRITTEN_TOKENS,
    Amount,
    CallCount,
    EstimateRow,
    ExpectedCalls,
)
from fusion_tool.budget.ledger import TOOLS_BYTES, Ledger, StageBudget
from fusion_tool.budget.pricing import cost_of, is_priced, price_name
from fusion_tool.budget.usage import StageName, search_name
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.agents.flags import FLAGS_BYTES
from fusion_tool.graph.agents.judge_reply import example_text
from fusion_tool.graph.agents.source_disputes import LONGEST_DISPUTES
from fusion_tool.graph.agents.trial import TRIAL_READ, TRIAL_WRITTEN
from fusion_tool.graph.agents.verifier import BATCH, BATCH_BYTES, MOST_CITATIONS
from fusion_tool.graph.prompts import render
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.models.abilities import known_abilities
from fusion_tool.models.capabilities import SMALL_WINDOW
from fusion_tool.models.identity import model_key
from fusion_tool.models.local.catalog import model_of
from fusion_tool.models.providers import has_own_server
from fusion_tool.tools.search.search import RESULTS, search_fee

WORST_BYTES_A_TOKEN = 6
"""Bytes of text that one token of a model's answer becomes in a later prompt: Cyrillic or Hindi, from above."""
WORST_RESULT_BYTES = 48_000
"""One window of a page: 16,000 characters of three bytes. A caller's own tools may return more."""
WORST_EVIDENCE_BYTES = 4 * WORST_RESULT_BYTES
"""What is gathered for a seat that does not look at its sources: three pages, and as much again for all results."""
WORST_GROWTH = 2
"""How much longer than the judge's reply its comparison may stand in the synthesizer's prompt."""

_NONCE, _DATE = "0" * 12, "2026-01-01"
_HEADING_BYTES = 160
"""What stands around one answer in a prompt."""


class PromptSizes(NamedTuple):
    """Bytes of the prompts without what models write, and the tool calls that a seat may make."""

    seat: int
    judge: int
    synthesizer: int
    turns: int


def prompt_sizes(config: FusionConfig, question_bytes: int) -> PromptSizes:
    """Return the bytes of a run's prompts, of which `question_bytes` are the question and its context."""
    turns = config.max_tool_calls if config.has_tools else 0
    hint = render("panelist_tools", calls=turns) + "\n\n" if turns else ""
    system = render("panelist", nonce=_NONCE, today=_DATE, hint=hint)
    user = render("question", question="", context="", evidence="")
    # The longest form of each prompt, whether or not a run comes to ask it; messages are framed by their roles.
    shared = render("reader", nonce=_NONCE) + render("answers", question="", answers="")
    example = example_text(["A", "B"], settled=True)
    judge = render("judge", flagged=render("flagged", flagged=""), example=example, also=render("judge_settled"))
    wishes = config.instructions and render("instructions", instructions=config.instructions)
    told = LONGEST_DISPUTES if config.has_sources else ""
    writer = render("synthesizer", context="", disputes=told, analysis="", today=_DATE, wishes=wishes)
    framed, prompts = question_bytes + len("systemhuman"), (system + user, shared + judge, shared + writer)
    return PromptSizes._make((*(framed + len(text.encode()) for text in prompts), turns))


def seat_row(seat: int, sizes: PromptSizes, config: FusionConfig, often: CallCount) -> EstimateRow:
    """Return the row of the seat of that number, which is asked so often."""
    panelist, strategy = config.panel[seat], strategy_named(config.strategy)
    base = sizes.seat + (_answers_bytes(config) if strategy.shows_answers else 0)  # it may see all the others
    prompts, results = list[int](), 0
    if sizes.turns:  # all results in the second prompt already, and every turn as long as it may be
        base, results = base + TOOLS_BYTES, sizes.turns * WORST_RESULT_BYTES
        later = range(1, sizes.turns + EXTRA_TURNS)
        prompts = [base, *(base + results + turn * _answer_bytes(panelist) for turn in later)]
    if config.has_sources:
        prompts.append(base + results + WORST_EVIDENCE_BYTES)
    prompts = prompts or [base]
    if has_own_server(panelist):  # an answer that is spoiled is asked for once more
        prompts.append(max(prompts) + _answer_bytes(panelist))
    shown_tokens = ANSWER_TOKENS if strategy.shows_answers else 0
    return EstimateRow(
        stage="panelist",
        seat=config.seat_labels[seat],
        model=panelist.model_name,
        expected=turns_of_seat(panelist, sizes, shown_tokens).scaled(often.expected),
        worst=_reserved_amount("panelist", panelist, prompts)
        .scaled(often.maximum)
        .capped(config.limits, often.maximum / strategy.limit_parts(config)),
    )


def search_rows(sizes: PromptSizes, config: FusionConfig, odds: ExpectedCalls) -> Iterator[EstimateRow]:
    """Yield a row for each search provider that charges; those after the first are asked where it finds nothing."""
    results = 2 * RESULTS if config.excluded_domains or config.blocked_fragments else RESULTS
    for place, provider in enumerate(config.search.providers if config.search else ()):
        if not (fee := search_fee(provider, results)):
            continue
        # Without tools of its own a seat gets one search, made for it.
        often = math.ceil(sizes.turns / 2) if sizes.turns else 1
        expected = 0.0 if place else fee * often * sum(seat.expected for seat in odds.seats)
        worst = fee * (sizes.turns + 1) * sum(seat.maximum for seat in odds.seats)
        yield EstimateRow(
            stage="panelist",
            seat=None,
            model=search_name(provider),
            expected=Amount(usd=expected),
            worst=Amount(usd=worst).capped(
                config.limits, strategy_named(config.strategy).shares_of(config)["panelist"]
            ),
        )


def judge_row(sizes: PromptSizes, config: FusionConfig, often: CallCount) -> EstimateRow:
    """Return the judge's row."""
    panelist = config.judge_or_default
    flags_bytes = len(config.panel) * FLAGS_BYTES if config.has_tools else 0
    prompt_bytes = sizes.judge + (_answers_bytes(config) + flags_bytes) * (2 if config.follow_up else 1)
    corrected = prompt_bytes + _answer_bytes(panelist) + sizes.judge  # what it said, and what was wrong with it
    prompt = sizes.judge // BYTES_A_TOKEN + len(config.panel) * (ANSWER_TOKENS + FLAGS_TOKENS * config.has_sources)
    return EstimateRow(
        stage="judge",
        seat=None,
        model=panelist.model_name,
        expected=_priced_amount(panelist, prompt, _at_most(ANALYSIS_TOKENS, panelist.max_tokens)).scaled(
            often.expected
        ),
        worst=_reserved_amount("judge", panelist, [prompt_bytes, corrected])
        .scaled(often.maximum)
        .capped(config.limits, strategy_named(config.strategy).shares_of(config)["judge"]),
    )


def synthesizer_row(sizes: PromptSizes, config: FusionConfig, often: CallCount) -> EstimateRow:
    """Return the synthesizer's row."""
    panelist, judge = config.synthesizer_or_default, config.judge_or_default
    # With a follow-up every seat may have answered twice, and all answers are read.
    answers = _answers_bytes(config) * (2 if config.follow_up else 1)
    prompt_bytes = sizes.synthesizer + answers + WORST_GROWTH * _answer_bytes(judge)
    worst = [_reserved_amount("synthesizer", panelist, [prompt_bytes])]
    if price_name(judge) not in models_of(panelist):  # it writes where nobody else does
        worst.append(_reserved_amount("synthesizer", judge.model_copy(update={"fallbacks": ()}), [prompt_bytes]))
    prompt = sizes.synthesizer // BYTES_A_TOKEN + len(config.panel) * ANSWER_TOKENS + ANALYSIS_TOKENS
    return EstimateRow(
        stage="synthesizer",
        seat=None,
        model=panelist.model_name,
        expected=_priced_amount(panelist, prompt, _at_most(ANSWER_TOKENS, panelist.max_tokens)).scaled(often.expected),
        worst=Amount.total(worst).capped(config.limits, 1.0),
    )


def verifier_row(config: FusionConfig, panelist: Panelist) -> EstimateRow:
    """Return the row of the second reader."""
    rules = len(render("verifier", nonce=_NONCE).encode())
    prompts = [rules + BATCH_BYTES, rules + BATCH_BYTES + _answer_bytes(panelist) + rules]  # and one correction
    read = math.ceil(CITATIONS / BATCH) * rules // BYTES_A_TOKEN + READ_TOKENS * CITATIONS
    written = _at_most(WRITTEN_TOKENS * CITATIONS, panelist.max_tokens)
    return EstimateRow(
        stage="verifier",
        seat=None,
        model=panelist.model_name,
        expected=_priced_amount(panelist, read, written),
        worst=_reserved_amount("verifier", panelist, prompts * (MOST_CITATIONS // BATCH)).capped(config.limits, 1.0),
    )


def trial_rows(roles: Iterable[Panelist]) -> Iterator[EstimateRow]:
    """Yield a row for each model of the user's own servers that is asked for the first time, and tried before it is."""
    for panelist in {model_key(role): role for role in roles if _needs_trial(role)}.values():
        alone = panelist.model_copy(update={"fallbacks": (), "max_tokens": TRIAL_WRITTEN})
        yield EstimateRow(
            stage="trial",
            seat=None,
            model=panelist.model_name,
            expected=_priced_amount(panelist, TRIAL_READ, TRIAL_WRITTEN),
            worst=_reserved_amount("panelist", alone, [TRIAL_READ * BYTES_A_TOKEN]),
        )


def _needs_trial(panelist: Panelist) -> bool:
    local = model_of(panelist)
    window = panelist.max_input_tokens or (local.most_tokens if local else None)
    is_small = window is not None and window <= SMALL_WINDOW
    return has_own_server(panelist) and known_abilities(panelist) is None and not is_small


def turns_of_seat(panelist: Panelist, sizes: PromptSizes, shown_tokens: int = 0) -> Amount:
    """Return a seat's expected calls: a prompt with `shown_tokens` of other answers that grows by a result a turn."""
    prompt = shown_tokens + (sizes.seat + (TOOLS_BYTES if sizes.turns else 0)) // BYTES_A_TOKEN
    grown = RESULT_TOKENS + TURN_TOKENS
    turns = [_priced_amount(panelist, prompt + turn * grown, TURN_TOKENS) for turn in range(sizes.turns)]
    return Amount.total(
        [*turns, _priced_amount(panelist, prompt + sizes.turns * grown, _at_most(ANSWER_TOKENS, panelist.max_tokens))]
    )


def _reserved_amount(stage: StageName, panelist: Panelist, prompts: Sequence[int]) -> Amount:
    """Return what a ledger without a limit reserves for these prompts, sent to every model of `panelist`."""
    budget = StageBudget(Ledger(usd=math.inf, tokens=None), stage)
    # Each call reserved as if none had been settled: the worst case is that all of them last as long as they may.
    reservations = [
        budget.reserve_now(name, size, panelist.max_tokens) for name in models_of(panelist) for size in prompts
    ]
    answers = sum(reservation.max_tokens or 0 for reservation in reservations)
    return Amount(
        input_tokens=sum(reservation.tokens for reservation in reservations) - answers,
        output_tokens=answers,
        usd=sum(reservation.usd for reservation in reservations) if all(map(is_priced, models_of(panelist))) else None,
    )


def _priced_amount(panelist: Panelist, input_tokens: int, output_tokens: int) -> Amount:
    usd = cost_of(price_name(panelist), input_tokens=input_tokens, output_tokens=output_tokens)[0]
    return Amount(input_tokens=input_tokens, output_tokens=output_tokens, usd=usd)


def models_of(panelist: Panelist) -> tuple[str, ...]:
    """Return the names of the models that a panelist may ask, fallbacks last, as the price list has them."""
    return price_name(panelist), *panelist.fallbacks


def _at_most(tokens: int, max_tokens: int | None) -> int:
    return tokens if max_tokens is None else min(tokens, max_tokens)


def _answer_bytes(panelist: Panelist) -> int:
    """Return the bytes that the longest answer of `panelist` under a limit becomes in a later prompt."""
    budget = StageBudget(Ledger(usd=math.inf, tokens=None), "panelist")
    longest = budget.reserve_now(panelist.model_name, 0, panelist.max_tokens).max_tokens
    return WORST_BYTES_A_TOKEN * (longest or 0)


def _answers_bytes(config: FusionConfig) -> int:
    return sum(_answer_bytes(seat) + _HEADING_BYTES for seat in config.panel)
