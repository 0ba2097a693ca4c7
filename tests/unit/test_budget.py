"""No sequence of calls passes a limit, whatever they cost and whatever is known of it."""

import math
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.budget import Ledger, OverBudget, Spent, Tab, least_call, prompt_tokens, shares
from fusion_tool.pricing import cost_of
from fusion_tool.usage import Call

MODELS = (
    "openrouter:openai/gpt-5.4-mini",
    "openrouter:anthropic/claude-opus-4.8",
    "google_genai:gemini-2.5-pro",  # dearer a token above 200,000 of them
    "local:smollm2",
    "nobody:nothing",
)
STAGES = ("panelist", "judge", "synthesizer")
SEATS = 3

limits = st.fixed_dictionaries(
    {
        "usd": st.none() | st.floats(1e-5, 2.0),
        "tokens": st.none() | st.integers(1, 2_000_000),
        "strategy": st.sampled_from(["panel", "solo"]),
    }
)
asked = st.tuples(st.sampled_from(MODELS), st.integers(0, 1_500_000), st.none() | st.integers(1, 60_000))
outcome = st.sampled_from(["all", "some", "untold", "tokens untold", "cost untold", "not charged"])
step = st.tuples(st.integers(0, SEATS - 1), asked, outcome, st.floats(0, 1))


def spent_by(model, held, prompt, how, fraction):
    """What a call did spend within its reservation, and the row that tells of it; `None` where nothing was charged."""
    if how == "not charged":
        return Spent(), None
    answer = held.max_tokens if how == "all" else math.floor(held.max_tokens * fraction)
    read = prompt if how == "all" else math.floor(prompt * fraction)
    usd, source = cost_of(model, input_tokens=read, output_tokens=answer)
    untold = how in ("untold", "tokens untold")
    row = Call(
        stage="panelist",
        seat=None,
        model=model,
        input_tokens=None if untold else read,
        output_tokens=None if untold else answer,
        cost_usd=None if how in ("untold", "cost untold") else usd,
        cost_source=source,
    )
    return Spent(usd or 0.0, read + answer), row


def within(spent, limit):
    return limit is None or spent <= limit * (1 + 1e-9)


class Seats:
    """Seats of one ledger, each with one call under way at a time, and what they really spent."""

    def __init__(self, given_limits):
        self.ledger = Ledger(**given_limits)
        self.tabs = [Tab(self.ledger, "panelist", 1 / SEATS) for _ in range(SEATS)]
        self.real = [Spent()] * SEATS
        self.under_way = {}

    def call(self, seat, model, size, wanted, *how):
        self.settle(seat)
        with suppress(OverBudget):
            held = self.tabs[seat].hold(model, size, wanted)
            if held.max_tokens is not None:  # there is a limit to keep
                self.under_way[seat] = model, held, prompt_tokens(size), *how

    def settle(self, seat):
        if seat in self.under_way:
            model, held, *how = self.under_way.pop(seat)
            spent, row = spent_by(model, held, *how)
            self.tabs[seat].settle(held, row)
            self.real[seat] += spent


@settings(max_examples=200)
@given(limits, st.lists(step, max_size=25))
def test_seats_at_once_never_spend_more_than_the_panels_share(given_limits, steps):
    share = shares(given_limits["strategy"])["panelist"]
    kept = {kind: given_limits[kind] * share for kind in ("usd", "tokens") if given_limits[kind] is not None}
    seats = Seats(given_limits)
    for seat, call, *how in steps:
        seats.call(seat, *call, *how)
        for kind, limit in kept.items():
            assert within(getattr(seats.ledger.spent, kind), limit)
    for seat in range(SEATS):
        seats.settle(seat)
    for kind, limit in kept.items():
        counted = [getattr(tab.spent, kind) for tab in seats.tabs]
        spent = [getattr(one, kind) for one in seats.real]
        assert all(within(one, limit / SEATS) for one in [*counted, *spent])
        assert within(sum(spent), limit)
        assert sum(counted) == pytest.approx(getattr(seats.ledger.spent, kind), abs=1e-9)


@given(limits, st.lists(st.tuples(st.sampled_from(STAGES), asked), max_size=12))
def test_no_stage_takes_what_is_kept_back_for_the_next(given_limits, steps):
    """Whatever is reserved and never settled, as where a run is cut."""
    ledger = Ledger(**given_limits)
    for stage, (model, size, wanted) in sorted(steps, key=lambda one: STAGES.index(one[0])):
        with suppress(OverBudget):
            Tab(ledger, stage).hold(model, size, wanted)
        share = shares(given_limits["strategy"])[stage]
        for kind in ("usd", "tokens"):
            limit = given_limits[kind]
            assert limit is None or within(getattr(ledger.spent, kind), limit * share)


def held_or_refused(given_limits, call):
    try:
        return Tab(Ledger(**given_limits), "synthesizer").hold(*call), None
    except OverBudget as refused:
        return None, refused


@given(limits, asked)
def test_only_a_call_whose_shortest_answer_does_not_fit_is_refused(given_limits, call):
    _, refused = held_or_refused(given_limits, call)
    least = least_call(*call)
    too_much = [
        kind
        for kind in ("usd", "tokens")
        if given_limits[kind] is not None and getattr(least, kind) > given_limits[kind]
    ]
    assert bool(refused) == bool(too_much)
    if refused:
        assert refused.kind in too_much
        assert refused.needed > refused.left


@given(limits, asked)
def test_a_call_may_answer_as_long_as_it_wants_or_as_the_limit_lets_it(given_limits, call):
    model, size, wanted = call
    held, refused = held_or_refused(given_limits, call)
    if refused or given_limits["usd"] is given_limits["tokens"] is None:
        assert refused or (held.max_tokens, held.usd, held.tokens) == (None, 0.0, 0)
        return
    most = wanted or 8192
    assert min(most, 256) <= held.max_tokens <= most
    assert held.tokens == prompt_tokens(size) + held.max_tokens
    if held.max_tokens < most:  # one token more would not fit
        longer = cost_of(model, input_tokens=prompt_tokens(size), output_tokens=held.max_tokens + 1)[0] or 0.0
        too_dear = given_limits["usd"] is not None and longer > given_limits["usd"]
        too_long = given_limits["tokens"] is not None and held.tokens + 1 > given_limits["tokens"]
        assert too_dear or too_long


def row(**fields):
    return Call(stage="judge", seat=None, model=MODELS[0], **fields)


@pytest.mark.parametrize(
    ("call", "usd", "tokens"),
    [
        (None, 0.0, 0),
        (row(), "held", "held"),
        (row(input_tokens=10, output_tokens=5), "held", 15),
        (row(cost_usd=0.001), 0.001, "held"),
        (row(input_tokens=10), "held", "held"),
        (row(input_tokens=10, output_tokens=5, cost_usd=0.001), 0.001, 15),
        (row(input_tokens=0, output_tokens=0, cost_usd=0.0), 0.0, 0),
    ],
    ids=["not charged", "nothing told", "no cost told", "no tokens told", "half told", "all told", "free"],
)
def test_what_is_not_told_stays_reserved(call, usd, tokens):
    ledger = Ledger(usd=1.0, tokens=100_000)
    tab = Tab(ledger, "judge")
    held = tab.hold(MODELS[0], 1000)
    tab.settle(held, call)
    assert ledger.spent.usd == pytest.approx(held.usd if usd == "held" else usd)
    assert ledger.spent.tokens == (held.tokens if tokens == "held" else tokens)
    assert tab.spent == pytest.approx(ledger.spent)


def test_what_earlier_stages_spent_counts():
    ledger = Ledger(usd=None, tokens=10_000, spent=Spent(0.0, 6_000))
    assert Tab(ledger, "judge").hold("local:x", 0).max_tokens == 1_500
    with pytest.raises(OverBudget, match="tokens"):
        Tab(ledger, "panelist").hold("local:x", 0)


def test_an_unpriced_model_counts_tokens_and_no_dollars():
    ledger = Ledger(usd=1e-6, tokens=10_000)
    held = Tab(ledger, "synthesizer").hold("nobody:nothing", 1000)
    assert (held.usd, held.tokens) == (0.0, 500 + 8192)


def test_the_shares_rise_to_the_whole():
    for strategy in ("panel", "solo"):
        kept = [shares(strategy)[stage] for stage in STAGES]
        assert kept == sorted(kept)
        assert kept[-1] == 1.0
