"""In which order a role's models are tried: those that keep failing last, and none left out.

What is recorded, summed up.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.config.schema import Panelist
from fusion_tool.errors import REASONS
from fusion_tool.models.breaker import Breaker
from fusion_tool.models.health import TRACKER, by_availability
from fusion_tool.models.health_statistics import quantile, summarize_outcomes
from fusion_tool.models.outcomes import Outcome, health_key
from fusion_tool.testing import ScriptedChat
from tests.unit.outcomes import outcome

pytestmark = pytest.mark.usefixtures("fresh")

A, B, C = (Panelist(model=f"openrouter:v/{name}") for name in "abc")


def fails(*panelists: Panelist, times: int = 3) -> None:
    for one in panelists:
        for _ in range(times):
            TRACKER.record(outcome(one.model, "rate_limited"))


@pytest.mark.parametrize(
    ("failing", "tried"),
    [((), [A, B, C]), ((A,), [B, C, A]), ((A, B), [C, A, B]), ((A, B, C), [A, B, C]), ((C,), [A, B, C])],
)
def test_failing_ones_come_last_and_all_are_tried(failing, tried):
    fails(*failing)
    assert list(by_availability([A, B, C], TRACKER)) == tried
    assert TRACKER.unavailable() == {one.model for one in failing}


def test_a_run_without_health_keeps_its_order():
    fails(A)
    assert list(by_availability([A, B], None)) == [A, B]


def test_only_who_comes_to_a_model_on_trial_takes_it(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(TRACKER, "_breaker", Breaker(lambda: now[0]))
    for _ in range(3):
        TRACKER._breaker.record(B.model, "timeout")
    now[0] += 31
    assert next(by_availability([A, B], TRACKER)) == A  # answered; B was not needed, and its trial is not taken
    assert next(by_availability([B, A], TRACKER)) == B
    assert next(by_availability([B, A], TRACKER)) == A


@given(st.lists(st.sampled_from([A, B, C])), st.sets(st.sampled_from([A, B, C])))
def test_it_is_always_a_permutation(candidates, failing):
    TRACKER._breaker = Breaker()
    fails(*failing)
    assert sorted(one.model for one in by_availability(candidates, TRACKER)) == sorted(one.model for one in candidates)


def test_objects_have_no_name_and_keep_their_place():
    given_ = Panelist(model=ScriptedChat(replies=["x"]))
    fails(A)
    assert health_key(given_) is None
    assert list(by_availability([A, given_, B], TRACKER)) == [given_, B, A]


@pytest.mark.parametrize(
    ("panelist", "name"),
    [
        (Panelist(model="openai:gpt-5.5"), "openai:gpt-5.5"),
        (Panelist(model="qwen3:8b", base_url="http://10.0.0.7:8000/v1"), "qwen3:8b at 10.0.0.7:8000"),
    ],
)
def test_the_same_name_at_another_endpoint_is_another_model(panelist, name):
    assert health_key(panelist) == name


def call(model="m", reason=None, **fields) -> Outcome:
    return outcome(model, reason, **fields)


def test_unknown_is_none_never_0():
    (row,) = summarize_outcomes([call(reason="timeout")])
    assert (row.cost_usd, row.input_tokens, row.output_tokens) == (None, None, None)
    assert (row.first_token_p50, row.first_token_p90, row.seconds_p50) == (None, None, None)
    assert row.answered_share == 0


def test_calls_that_were_cut_are_neither_answered_nor_failed():
    (row,) = summarize_outcomes([call(reason="cancelled"), call(reason="straggler")])
    assert (row.calls, row.cut, dict(row.failed), row.answered_share) == (2, 2, {}, None)
    (row,) = summarize_outcomes([call(reason="cancelled"), call(), call(reason="empty")])
    assert row.answered_share == 0.5


def test_times_are_those_of_answers():
    (row,) = summarize_outcomes([call(seconds=5.0), call(seconds=0.1, reason="rate_limited"), call(seconds=7.0)])
    assert row.seconds_p50 == 5.0


def test_what_the_sum_of_costs_leaves_out_is_counted():
    (row,) = summarize_outcomes([call(cost_usd=0.5), call(), call(reason="auth")])
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
    rows = summarize_outcomes(outcomes)
    assert sum(row.calls for row in rows) == len(outcomes)
    assert all(row.calls == row.answered + row.cut + sum(row.failed.values()) for row in rows)
    assert [row.calls for row in rows] == sorted((row.calls for row in rows), reverse=True)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(0.01, 1))
def test_a_quantile_is_not_exceeded_by_its_share(values, share):
    found = quantile(values, share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
