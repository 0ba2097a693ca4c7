"""The cascade over recorded answers of real models: what it keeps of the strong one, and at what cost."""

from statistics import fmean

import pytest

from tests.integration import recorded
from tests.integration.recorded import JUDGE, MINI, PANEL, SCOUTS, SONNET, WRITER

PROBLEMS, FEW = 60, 12
pytestmark = pytest.mark.skipif(not recorded.FILE.exists(), reason=recorded.ABSENT)


async def test_with_a_cheap_synthesizer_it_keeps_the_strong_models_quality_at_half_its_cost():
    outcomes = await recorded.replayed(recorded.problems(PROBLEMS), recorded.cascade())
    agreed = [one for one in outcomes if one.agreed]
    assert len(agreed) >= 0.65 * len(outcomes)
    assert fmean(one.correct for one in agreed) >= 0.93
    strong = fmean(one.problem.answers[SONNET].correct for one in outcomes)
    assert fmean(one.correct for one in outcomes) >= 0.99 * strong
    assert sum(one.usd(MINI) for one in outcomes) <= 0.5 * sum(one.alone[SONNET] for one in outcomes)


async def test_where_the_scouts_agree_nobody_else_is_asked_and_the_answer_is_theirs():
    for one in await recorded.replayed(recorded.problems(FEW), recorded.cascade()):
        asked = [call.model for call in one.result.usage.calls]
        if one.agreed:
            assert sorted(asked) == sorted(SCOUTS)
            assert one.result.answer in [said.content for said in one.result.responses]
            assert one.result.analysis is None
        else:
            assert asked.count(SONNET) == 1
        assert (one.result.status, one.result.degraded) == ("ok", [])


async def test_a_seat_alone_costs_what_the_comparison_says():
    problem = recorded.problems(1)[0]
    cascade = await recorded.replay(problem, recorded.cascade())
    solo = recorded.cascade([recorded.Panelist(model=recorded.replaying(SONNET))], strategy="solo")
    assert (await recorded.replay(problem, solo)).usd() == pytest.approx(cascade.alone[SONNET])


@pytest.mark.parametrize("gone", [*PANEL, JUDGE, WRITER])
async def test_no_run_fails_for_a_model_that_is_withdrawn(gone):
    with recorded.without(gone) as config:
        outcomes = await recorded.replayed(recorded.problems(FEW), config)
    assert {(one.result.status, *one.result.degraded) for one in outcomes} == {("ok",)}
    missed = [row for one in outcomes for row in one.result.failed_models if row.model == f"ollama:{gone}"]
    assert {row.reason for row in missed} <= {"model_unavailable"}
    assert bool(missed) is (gone in PANEL)
