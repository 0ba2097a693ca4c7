"""What is read of stored runs: the one that a short id means, its result, and what all of them spent."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool import ConfigError, Limits, PanelFailed, afuse
from fusion_tool.api.run_store import match_run_id
from fusion_tool.api.stored_runs import StoredRun, list_runs, read_result, spent_by_day
from fusion_tool.testing import fake_config
from tests.unit.api.test_run_store import ALDER, BIRCH, ELM, file  # noqa: F401 - a fixture
from tests.unit.results import bill

IDS = ["a1b2", "a1c3", "b000"]
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(("beginning", "found"), [("b", "b000"), ("a1b", "a1b2"), ("A1C3", "a1c3"), (" b000 ", "b000")])
def test_an_id_is_named_by_what_no_other_begins_with(beginning, found):
    assert match_run_id(beginning, IDS, "runs") == found


@pytest.mark.parametrize(
    ("beginning", "words"), [("", "no run ''"), ("c", "no run 'c'"), ("a1", "2 runs have an id that begins with 'a1'")]
)
def test_none_and_several_are_told(beginning, words):
    with pytest.raises(ConfigError, match=words) as refused:
        match_run_id(beginning, IDS, "runs")
    assert ("a1b2, a1c3" in str(refused.value)) is (beginning == "a1")


async def test_a_result_is_read_as_it_was(tmp_path):
    kept = await afuse("When?", fake_config(answer="In 1861."), keep=tmp_path / "runs")
    assert await read_result(kept.run_id[:12], tmp_path / "runs") == kept


async def test_what_has_no_answer_says_why(file):  # noqa: F811 - a fixture
    with pytest.raises(ConfigError, match=f"--resume {BIRCH[:8]}"):
        await read_result(BIRCH, file)
    with pytest.raises(ConfigError, match="no run is kept in"):
        await read_result(BIRCH, file.with_name("none"))
    assert (await read_result(ALDER[:6], file)).answer == "In 1861."


@pytest.mark.parametrize(("replies", "found"), [(("", ""), "no usable answer"), (("In 1861.", ""), "1 of 2 usable")])
async def test_a_failed_run_fails_again_with_its_reasons_and_its_bill(tmp_path, replies, found):
    path = tmp_path / "runs"
    with pytest.raises(PanelFailed, match=f"^{found}") as first:
        await afuse("When?", fake_config(*replies, limits=Limits(min_answers=2)), keep=path)
    (run,) = await list_runs(path)
    with pytest.raises(PanelFailed) as again:
        await read_result(run.id, path)
    assert run.status == "failed"
    assert (str(again.value), again.value.usage) == (str(first.value), first.value.usage)


async def test_what_broke_off_is_of_unknown_cost_beside_what_is_known(file):  # noqa: F811 - a fixture
    bills = {run.id: run.usage for run in await list_runs(file)}
    assert [call.stage for call in bills[ELM].calls] == ["panelist", "panelist"]
    assert [call.model == "unknown" for call in bills[ELM].calls] == [False, True]
    assert [call.stage for call in bills[BIRCH].calls if call.model == "unknown"] == ["judge"]
    assert all(call.model != "unknown" for call in bills[ALDER].calls)


def stored(days, usage):
    at = None if days is None else NOON - timedelta(days=days)
    return StoredRun(id="a", question="q", last_step_at=at, status="finished", stage=None, usage=usage)


def test_days_are_summed_and_unknown_is_never_nothing():
    spent = spent_by_day([stored(1, bill(0.5, None)), stored(0, bill(None)), stored(1, bill(0.25)), stored(None, None)])
    assert [(row.runs, row.usage and (row.usage.cost_usd, row.usage.unpriced_calls)) for row in spent] == [
        (1, (None, 1)),
        (2, (0.75, 1)),
        (1, None),
    ]
    assert [row.day is None for row in spent] == [False, False, True]


costs = st.lists(st.none() | st.floats(0, 10), max_size=3)


@given(st.lists(st.tuples(st.none() | st.integers(0, 3), costs), max_size=12))
def test_no_run_and_no_call_is_lost_or_counted_twice(rows):
    spent = spent_by_day(stored(days, bill(*each)) for days, each in rows)
    assert sum(row.runs for row in spent) == len(rows)
    assert sum(len(row.usage.calls) for row in spent if row.usage) == sum(len(each) for _, each in rows)
    assert len({row.day for row in spent}) == len(spent)
