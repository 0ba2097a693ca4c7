"""What is recorded, summed up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.errors import REASONS
from fusion_tool.health import Outcome
from fusion_tool.health.summary import quantile, summed_up


def call(model="m", reason=None, **fields) -> Outcome:
    return Outcome.now(model, reason, **({"seconds": 1.0} | fields))


def test_unknown_is_none_never_0():
    (row,) = summed_up([call(reason="timeout")])
    assert (row.cost_usd, row.input_tokens, row.output_tokens) == (None, None, None)
    assert (row.first_token_p50, row.first_token_p90, row.seconds_p50) == (None, None, None)
    assert row.answered_share == 0


def test_calls_that_were_cut_are_neither_answered_nor_failed():
    (row,) = summed_up([call(reason="cancelled"), call(reason="straggler")])
    assert (row.calls, row.cut, dict(row.failed), row.answered_share) == (2, 2, {}, None)
    (row,) = summed_up([call(reason="cancelled"), call(), call(reason="empty")])
    assert row.answered_share == 0.5


def test_times_are_those_of_answers():
    (row,) = summed_up([call(seconds=5.0), call(seconds=0.1, reason="rate_limited"), call(seconds=7.0)])
    assert row.seconds_p50 == 5.0


def test_what_the_sum_of_costs_leaves_out_is_counted():
    (row,) = summed_up([call(cost_usd=0.5), call(), call(reason="auth")])
    assert (row.cost_usd, row.unpriced) == (0.5, 1)


@pytest.mark.parametrize(
    ("values", "median", "ninth"), [([], None, None), ([3.0], 3.0, 3.0), (range(1, 11), 5, 9), ([2, 1], 1, 2)]
)
def test_quantiles_are_values_that_occurred(values, median, ninth):
    assert (quantile(values, 0.5), quantile(values, 0.9)) == (median, ninth)


outcomes = st.lists(
    st.builds(
        Outcome,
        st.sampled_from("abc"),
        st.none() | st.sampled_from(REASONS),
        st.floats(0, 100),
        st.none() | st.floats(0, 100),
        st.none() | st.floats(0, 100),
        st.none() | st.integers(0, 1000),
        st.none() | st.integers(0, 1000),
        st.just(0.0),
    )
)


@given(outcomes)
def test_every_call_is_counted_once(outcomes):
    rows = summed_up(outcomes)
    assert sum(row.calls for row in rows) == len(outcomes)
    assert all(row.calls == row.answered + row.cut + sum(row.failed.values()) for row in rows)
    assert [row.calls for row in rows] == sorted((row.calls for row in rows), reverse=True)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_not_exceeded_by_its_share(values, share):
    found = quantile(values, share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
