"""No sequence of calls passes a limit, whatever they cost and whatever is known of it."""

import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.budget.ledger import (
    WHOLE_LIMIT,
    Ledger,
    OverBudgetError,
    Spent,
    StageBudget,
    minimal_call,
    prompt_tokens,
)
from fusion_tool.budget.pricing import cost_of
from fusion_tool.budget.usage import Call
from fusion_tool.budget.written import WrittenBudget

MODELS = (
    "openrouter:openai/gpt-5.4-mini",
    "openrouter:anthropic/claude-opus-4.8",
    "google_genai:gemini-2.5-pro",  # dearer a token above 200,000 of them
    "local:smollm2",
    "nobody:nothing",
)
STAGES = ("panelist", "judge", "synthesizer")
SEATS = 3
SHARES = {"panelist": 0.6, "judge": 0.75, "synthesizer": 1.0}

limits = st.fixed_dictionaries(
    {
        "usd": st.none() | st.floats(1e-5, 2.0),
        "tokens": st.none() | st.integers(1, 2_000_000),
        "shares": st.sampled_from([SHARES, WHOLE_LIMIT]),
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
        self.tabs = [StageBudget(self.ledger, "panelist", 1 / SEATS) for _ in range(SEATS)]
        self.real = [Spent()] * SEATS
        self.under_way = {}

    def call(self, seat, model, size, wanted, *how):
        self.settle(seat)
        with suppress(OverBudgetError):
            held = self.tabs[seat].reserve_now(model, size, wanted)
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
    share = given_limits["shares"]["panelist"]
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
        with suppress(OverBudgetError):
            StageBudget(ledger, stage).reserve_now(model, size, wanted)
        share = given_limits["shares"][stage]
        for kind in ("usd", "tokens"):
            limit = given_limits[kind]
            assert limit is None or within(getattr(ledger.spent, kind), limit * share)


def at_once(work):
    """What a coroutine returns that waits for nothing."""
    with pytest.raises(StopIteration) as end:
        work.send(None)
    return end.value.value


class Sessions(Seats):
    """Several runs of one session at once, with model calls and fees, and what they really spent."""

    def __init__(self, session_limits, runs):
        self.session = Ledger(**session_limits)
        self.ledgers = [Ledger(session=self.session, **run) for run in runs]
        self.tabs = [StageBudget(ledger, "panelist", 1 / SEATS) for ledger in self.ledgers for _ in range(SEATS)]
        self.real = [Spent()] * len(self.tabs)
        self.under_way = {}

    def fee(self, seat, usd, told):
        with suppress(OverBudgetError):
            held = at_once(self.tabs[seat].reserve_fee(usd, "search:tavily"))
            if held.max_tokens is not None:  # there is a limit to keep
                row = Call.for_search("tavily", None).with_cost(usd if told == "all" else None, None)
                self.tabs[seat].settle(held, None if told == "not charged" else row)
                self.real[seat] += Spent(0.0 if told == "not charged" else usd, 0)


steps_of_runs = st.tuples(st.integers(0, 2 * SEATS - 1), asked | st.floats(0, 0.01), outcome, st.floats(0, 1))
session_limits = st.fixed_dictionaries(
    {"usd": st.none() | st.floats(1e-5, 2.0), "tokens": st.none() | st.integers(1, 2_000_000)}
)


@settings(max_examples=200)
@given(session_limits, st.lists(limits, min_size=2, max_size=2), st.lists(steps_of_runs, max_size=25))
def test_no_interleaving_of_runs_passes_the_sessions_limits_or_a_runs_own(theirs, runs, steps):
    sessions = Sessions(theirs, runs)
    for seat, call, *how in steps:
        if isinstance(call, float):
            sessions.fee(seat, call, how[0])
        else:
            sessions.call(seat, *call, *how)
        for kind in ("usd", "tokens"):
            assert within(getattr(sessions.session.spent, kind), theirs[kind])
    for seat in range(len(sessions.tabs)):
        sessions.settle(seat)
    for kind in ("usd", "tokens"):
        assert within(sum(getattr(one, kind) for one in sessions.real), theirs[kind])
        in_runs = [getattr(ledger.spent, kind) for ledger in sessions.ledgers]
        assert sum(in_runs) == pytest.approx(getattr(sessions.session.spent, kind), abs=1e-9)
        for run, spent in zip(runs, in_runs, strict=True):
            share = run["shares"]["panelist"]
            assert run[kind] is None or within(spent, run[kind] * share)


def test_threads_of_one_session_together_keep_its_limit():
    session = Ledger(usd=None, tokens=100_000)

    def spend(_):
        tab = StageBudget(Ledger(usd=None, tokens=None, session=session), "synthesizer")
        for _ in range(200):
            with suppress(OverBudgetError):
                held = tab.reserve_now("local:x", 100, 400)
                tab.settle(held, row(input_tokens=50, output_tokens=40, cost_usd=0.0))
        return tab.spent.tokens

    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(spend, range(8)))
    assert sum(spent) == session.spent.tokens <= 100_000
    assert session.remaining("tokens") < 450  # no call of the last ones would have fitted


def test_which_limit_a_call_could_pass_is_named():
    session = Ledger(usd=0.001, tokens=None)
    tab = StageBudget(Ledger(usd=1.0, tokens=None, session=session), "judge")
    with pytest.raises(OverBudgetError, match=r"^session_limits\.usd: "):
        tab.reserve_now(MODELS[1], 100_000)
    assert tab.is_exhausted
    with pytest.raises(OverBudgetError, match=r"^limits\.tokens: .* left for this stage"):
        StageBudget(Ledger(usd=None, tokens=100, session=session), "judge").reserve_now(MODELS[0], 1000)


def test_the_shares_are_of_what_the_session_leaves():
    session = Ledger(usd=None, tokens=10_000)
    seat = StageBudget(Ledger(usd=None, tokens=None, shares=SHARES, session=session), "panelist")
    assert seat.reserve_now("local:x", 0).max_tokens == 6_000
    later = Ledger(usd=None, tokens=None, shares=SHARES, session=session, spent=Spent(0.0, 6_000))
    assert StageBudget(later, "judge").reserve_now("local:x", 0).max_tokens == 1_500


def test_without_limits_what_is_known_is_still_counted():
    session = Ledger(usd=None, tokens=None)
    tab = StageBudget(Ledger(usd=None, tokens=None, session=session), "judge")
    tab.settle(tab.reserve_now(MODELS[0], 1000), row(input_tokens=10, output_tokens=5, cost_usd=0.001))
    tab.settle(tab.reserve_now(MODELS[0], 1000), row())
    assert tab.spent == session.spent == Spent(0.001, 15)


# Written down -------------------------------------------------------------------------------------------------------


async def test_what_is_reserved_is_written_down_before_the_call_is_made():
    written = []

    async def write(progress):
        written.append(progress)

    tab = WrittenBudget(Ledger(usd=1.0, tokens=None), "panelist", spent=Spent(0.1, 7), write=write)
    held = await tab.reserve(MODELS[0], 1000)
    fee = await tab.reserve_fee(0.008, "search:tavily")
    assert [progress.spent for progress in written] == [
        pytest.approx(Spent(0.1 + held.usd, 7 + held.tokens)),
        pytest.approx(Spent(0.1 + held.usd + 0.008, 7 + held.tokens)),
    ]
    tab.settle(fee, None)
    tab.settle(held, None)
    assert tab.spent == pytest.approx(Spent(0.1, 7))


@pytest.mark.parametrize("usd", [None, 1.0])
async def test_each_call_is_written_down_with_what_became_of_those_before_it(usd):
    written = []

    async def write(progress):
        written.append((progress.ended, progress.under_way))

    tab, billed = WrittenBudget(Ledger(usd=usd, tokens=None), "panelist", write=write), row(cost_usd=0.001)
    first, second = await tab.reserve(MODELS[0], 1000), await tab.reserve(MODELS[1], 1000)
    tab.settle(first, billed)
    tab.settle(await tab.reserve_fee(0.008, "search:tavily"), None)
    tab.settle(second, row())
    await tab.reserve(MODELS[0], 1000)
    assert written == [
        ([], [MODELS[0]]),
        ([], [MODELS[0], MODELS[1]]),
        ([billed], [MODELS[1], "search:tavily"]),
        ([row()], [MODELS[0]]),
    ]


async def test_a_call_that_cannot_be_written_down_is_not_made_and_holds_nothing():
    async def write(_):
        raise OSError("disk full")

    ledger = Ledger(usd=1.0, tokens=None)
    tab = WrittenBudget(ledger, "panelist", write=write)
    with pytest.raises(OSError, match="disk full"):
        await tab.reserve(MODELS[0], 1000)
    assert tab.spent == ledger.spent == Spent()


async def test_without_a_limit_nothing_is_reserved():
    tab = StageBudget(Ledger(usd=None, tokens=None), "panelist")
    assert (await tab.reserve(MODELS[0], 1000)).max_tokens is None
    assert (await tab.reserve_fee(5.0, "search:tavily")).usd == 0.0


def held_or_refused(given_limits, call):
    try:
        return StageBudget(Ledger(**given_limits), "synthesizer").reserve_now(*call), None
    except OverBudgetError as refused:
        return None, refused


@given(limits, asked)
def test_only_a_call_whose_shortest_answer_does_not_fit_is_refused(given_limits, call):
    _, refused = held_or_refused(given_limits, call)
    least = minimal_call(*call)
    too_much = [
        kind
        for kind in ("usd", "tokens")
        if given_limits[kind] is not None and getattr(least, kind) > given_limits[kind]
    ]
    assert bool(refused) == bool(too_much)
    if refused:
        assert refused.kind in too_much
        assert refused.needed > refused.remaining


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
    tab = StageBudget(ledger, "judge")
    held = tab.reserve_now(MODELS[0], 1000)
    tab.settle(held, call)
    assert ledger.spent.usd == pytest.approx(held.usd if usd == "held" else usd)
    assert ledger.spent.tokens == (held.tokens if tokens == "held" else tokens)
    assert tab.spent == pytest.approx(ledger.spent)


def test_what_earlier_stages_spent_counts():
    ledger = Ledger(usd=None, tokens=10_000, shares=SHARES, spent=Spent(0.0, 6_000))
    assert StageBudget(ledger, "judge").reserve_now("local:x", 0).max_tokens == 1_500
    with pytest.raises(OverBudgetError, match="tokens"):
        StageBudget(ledger, "panelist").reserve_now("local:x", 0)


def test_an_unpriced_model_counts_tokens_and_no_dollars():
    ledger = Ledger(usd=1e-6, tokens=10_000)
    held = StageBudget(ledger, "synthesizer").reserve_now("nobody:nothing", 1000)
    assert (held.usd, held.tokens) == (0.0, 500 + 8192)
