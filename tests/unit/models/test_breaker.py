"""The breaker: three failures in a row set a model aside, one trial brings it back."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.errors import REASONS
from fusion_tool.models.breaker import (
    COOLING_SECONDS,
    FAILURES,
    LONGEST_SECONDS,
    MEMORY_SECONDS,
    TRIAL_SECONDS,
    Breaker,
)
from fusion_tool.models.outcomes import COUNTED_FAILURES, Outcome

pytestmark = pytest.mark.usefixtures("fresh")

M = "openrouter:v/m"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fails(breaker: Breaker, times: int = FAILURES, reason="upstream_error") -> None:
    for _ in range(times):
        breaker.record(M, reason)


def outcome(reason, at, model=M) -> Outcome:
    return Outcome(model, reason, 1.0, None, None, None, None, at)


@pytest.mark.parametrize("reason", REASONS)
def test_only_what_speaks_against_the_model_sets_it_aside(breaker, reason):
    fails(breaker, 20, reason)
    assert (breaker.status(M).state == "open") == (reason in COUNTED_FAILURES)


def test_the_user_s_doing_and_the_questions_never_speak_against_a_model():
    assert COUNTED_FAILURES.isdisjoint(
        {"cancelled", "straggler", "auth", "budget", "refused", "context_overflow", "truncated"}
    )


@pytest.mark.parametrize(
    ("reasons", "state"),
    [
        ([], "closed"),
        (["timeout"] * 2, "closed"),
        (["timeout"] * 3, "open"),
        (["timeout", "rate_limited", "empty"], "open"),
        (["timeout", "timeout", None, "timeout", "timeout"], "closed"),
        (["timeout", "cancelled", "timeout", "straggler", "timeout"], "open"),
        (["timeout"] * 3 + [None], "closed"),
        (["timeout"] * 3 + ["cancelled"], "open"),
    ],
)
def test_a_row_of_failures(breaker, reasons, state):
    for reason in reasons:
        breaker.record(M, reason)
    assert breaker.status(M).state == state
    assert breaker.unavailable() == ({M} if state == "open" else set())


def test_after_cooling_one_caller_tries_and_the_others_wait(breaker, clock):
    fails(breaker)
    assert not breaker.allows(M)
    clock.now += COOLING_SECONDS
    assert breaker.status(M).state == "half_open"
    assert breaker.unavailable() == set()
    assert [breaker.allows(M) for _ in range(3)] == [True, False, False]
    assert breaker.unavailable() == {M}


def test_of_many_threads_one_gets_the_trial(breaker, clock):
    fails(breaker)
    clock.now += COOLING_SECONDS
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(breaker.allows, [M] * 64)) == 1


def test_a_trial_that_answers_closes(breaker, clock):
    fails(breaker)
    clock.now += COOLING_SECONDS
    breaker.allows(M)
    breaker.record(M, None)
    assert [breaker.allows(M) for _ in range(3)] == [True] * 3


def test_a_trial_that_is_cancelled_leaves_it_to_the_next(breaker, clock):
    fails(breaker)
    clock.now += COOLING_SECONDS
    breaker.allows(M)
    breaker.record(M, "cancelled")
    assert [breaker.allows(M) for _ in range(2)] == [True, False]


def test_a_trial_of_which_nothing_is_heard_lapses(breaker, clock):
    fails(breaker)
    clock.now += COOLING_SECONDS
    breaker.allows(M)
    clock.now += TRIAL_SECONDS
    assert breaker.allows(M)


def test_each_failed_trial_doubles_the_cooling_up_to_a_cap(breaker, clock):
    fails(breaker)
    coolings = []
    for _ in range(6):
        coolings.append(breaker.status(M).until - clock.now)
        clock.now = breaker.status(M).until
        assert breaker.allows(M)
        breaker.record(M, "timeout")
    assert coolings == [30, 60, 120, 240, 300, 300]


def test_being_tried_for_want_of_others_does_not_lengthen_it(breaker):
    fails(breaker)
    until = breaker.status(M).until
    fails(breaker, 10)
    assert breaker.status(M).until == until


def test_what_is_long_ago_is_forgotten(breaker, clock):
    fails(breaker)
    clock.now += MEMORY_SECONDS + 1
    assert breaker.status(M).state == "closed"
    fails(breaker, FAILURES - 1)
    assert breaker.status(M).state == "closed"


def test_models_are_independent(breaker):
    fails(breaker)
    assert breaker.allows("openrouter:v/other")


def test_what_others_recorded_counts_but_not_against_what_is_known_here(breaker, clock):
    breaker.record("known", "timeout")
    breaker.replay(outcome("timeout", clock.now - 5 + i, model) for i in range(5) for model in (M, "known"))
    assert breaker.status(M).state == "open"
    assert breaker.status("known").failures == 1


@pytest.mark.parametrize("age", [MEMORY_SECONDS + 1, -3600.0])
def test_records_too_old_or_of_another_clock_are_not_learnt(breaker, clock, age):
    breaker.replay([outcome("timeout", clock.now - age)] * 5)
    assert breaker.status(M).state == "closed"


steps = st.lists(st.tuples(st.floats(0, 60), st.none() | st.sampled_from(REASONS), st.sampled_from("ab")), max_size=30)


@given(steps)
def test_a_process_that_starts_now_comes_to_what_the_others_know(steps):
    clock = Clock()
    live, recorded = Breaker(clock), []
    for pause, reason, model in steps:
        clock.now += pause
        live.record(model, reason)
        recorded.append(outcome(reason, clock.now, model))
    new = Breaker(clock)
    new.replay(one for one in recorded if one.at >= clock.now - MEMORY_SECONDS)
    for model in "ab":
        assert new.status(model).state in {live.status(model).state, *_unsure(recorded, model, clock)}


def _unsure(recorded, model, clock):
    """Where a row began before what is remembered, a new process cannot know how long the model cooled before."""
    old = any(one.model == model and one.at < clock.now - MEMORY_SECONDS for one in recorded)
    return {"open", "half_open", "closed"} if old else set()


@given(steps)
def test_it_never_refuses_a_model_for_longer_than_the_cap_or_a_trial(steps):
    clock = Clock()
    breaker = Breaker(clock)
    for pause, reason, model in steps:
        clock.now += pause
        breaker.record(model, reason)
        breaker.allows(model)
    clock.now += LONGEST_SECONDS + TRIAL_SECONDS
    assert breaker.unavailable() == set()


@given(steps, st.sampled_from("ab"))
def test_an_answer_always_closes(steps, model):
    clock = Clock()
    breaker = Breaker(clock)
    for pause, reason, other in steps:
        clock.now += pause
        breaker.record(other, reason)
    breaker.record(model, None)
    assert breaker.status(model).state == "closed"
