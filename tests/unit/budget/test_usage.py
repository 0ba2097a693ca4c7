"""The bill adds up, and what is unknown stays unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.budget.usage import Call, Usage, is_search

tokens = st.none() | st.integers(0, 10**7)
costs = st.none() | st.floats(0, 100)
calls = st.builds(
    Call,
    stage=st.sampled_from(["panelist", "judge", "synthesizer"]),
    seat=st.none() | st.text(max_size=8),
    model=st.just("vendor:model"),
    input_tokens=tokens,
    output_tokens=tokens,
    cost_usd=costs,
)


@given(st.lists(calls))
def test_the_sums_are_those_of_the_known(rows):
    bill = Usage.of(iter(rows))
    assert bill.calls == rows
    for field in ("input_tokens", "output_tokens", "cost_usd"):
        known = [value for row in rows if (value := getattr(row, field)) is not None]
        assert getattr(bill, field) == (sum(known) if known else None)
    assert bill.unpriced_calls == sum(row.cost_usd is None for row in rows)


@given(st.lists(calls), st.lists(calls))
def test_two_bills_add_up_to_one(some, more):
    parts, whole = [Usage.of(some), Usage.of(more)], Usage.of([*some, *more])
    known = [part.input_tokens for part in parts if part.input_tokens is not None]
    assert whole.input_tokens == (sum(known) if known else None)
    assert whole.unpriced_calls == sum(part.unpriced_calls for part in parts)


def test_free_is_not_unknown():
    free = Call(stage="judge", seat=None, model="local:m", cost_usd=0.0, cost_source="list_price")
    unknown = Call(stage="judge", seat=None, model="x:m")
    assert (Usage.of([free]).cost_usd, Usage.of([free]).unpriced_calls) == (0.0, 0)
    assert (Usage.of([unknown]).cost_usd, Usage.of([unknown]).unpriced_calls) == (None, 1)
    assert (Usage.of([free, unknown]).cost_usd, Usage.of([free, unknown]).unpriced_calls) == (0.0, 1)
    assert Usage.of([]).cost_usd is None


def test_a_row_says_where_its_cost_comes_from():
    assert Call(stage="judge", seat=None, model="x:m").cost_source == "unpriced"
    with pytest.raises(ValueError, match="cost_source"):
        Call(stage="judge", seat=None, model="x:m", cost_source="guess")


def test_a_search_is_a_row_without_tokens_that_adds_to_the_cost():
    asked = Call(stage="panelist", seat="a", model="x:m", input_tokens=10, output_tokens=5, cost_usd=0.01)
    paid, unknown = Call.for_search("tavily", "a").with_cost(None, 0.008), Call.for_search("exa", "a")
    told = Call.for_search("exa", "a").with_cost(0.007, 0.009)
    usage = Usage.of([asked, paid, unknown, told])
    assert (paid.cost_source, told.cost_source, unknown.cost_source) == ("list_price", "provider", "unpriced")
    assert (usage.input_tokens, usage.output_tokens, usage.unpriced_calls) == (10, 5, 1)
    assert usage.cost_usd == pytest.approx(0.025)
    assert [is_search(call.model) for call in usage.calls] == [False, True, True, True]
