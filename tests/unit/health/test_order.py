"""In which order a role's models are tried: those that keep failing last, and none left out."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.health import Breaker, Outcome, name_of, note, order, switch, unavailable, watch
from fusion_tool.panelist import Panelist
from fusion_tool.testing import ScriptedChat

A, B, C = (Panelist(model=f"openrouter:v/{name}") for name in "abc")


def fails(*panelists: Panelist, times: int = 3) -> None:
    for one in panelists:
        for _ in range(times):
            note(Outcome.now(one.model, "rate_limited", seconds=1.0))


@pytest.mark.parametrize(
    ("failing", "tried"),
    [((), [A, B, C]), ((A,), [B, C, A]), ((A, B), [C, A, B]), ((A, B, C), [A, B, C]), ((C,), [A, B, C])],
)
def test_failing_ones_come_last_and_all_are_tried(failing, tried):
    fails(*failing)
    assert list(order([A, B, C])) == tried
    assert unavailable() == {one.model for one in failing}


def test_a_run_without_health_keeps_its_order():
    fails(A)
    switch(on=False)
    assert list(order([A, B])) == [A, B]
    assert unavailable() == set()


def test_only_who_comes_to_a_model_on_trial_takes_it(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(watch, "_breaker", Breaker(lambda: now[0]))
    for _ in range(3):
        watch._breaker.note(B.model, "timeout")
    now[0] += 31
    assert next(order([A, B])) == A  # answered; B was not needed, and its trial is not taken
    assert next(order([B, A])) == B
    assert next(order([B, A])) == A


@given(st.lists(st.sampled_from([A, B, C])), st.sets(st.sampled_from([A, B, C])))
def test_it_is_always_a_permutation(candidates, failing):
    watch._breaker = Breaker()
    fails(*failing)
    assert sorted(one.model for one in order(candidates)) == sorted(one.model for one in candidates)


def test_objects_have_no_name_and_keep_their_place():
    given_ = Panelist(model=ScriptedChat(replies=["x"]))
    fails(A)
    assert name_of(given_) is None
    assert list(order([A, given_, B])) == [given_, B, A]


@pytest.mark.parametrize(
    ("panelist", "name"),
    [
        (Panelist(model="openai:gpt-5.5"), "openai:gpt-5.5"),
        (Panelist(model="qwen3:8b", base_url="http://10.0.0.7:8000/v1"), "qwen3:8b at 10.0.0.7:8000"),
    ],
)
def test_the_same_name_at_another_endpoint_is_another_model(panelist, name):
    assert name_of(panelist) == name


async def test_runs_with_and_without_health_work_side_by_side():
    async def run(*, on: bool) -> frozenset[str]:
        switch(on=on)
        await asyncio.sleep(0)
        fails(A if on else B)
        return unavailable()

    assert await asyncio.gather(run(on=True), run(on=False)) == [{A.model}, set()]
