"""Late seats, and time that runs out: what is cut, what is waited for, what it says."""

import asyncio

import pytest

from fusion_tool import PanelFailed, afuse, astream
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, reads, searches, verdict
from tests.scripted_server import Gate, Hang, Reply, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two", "test/late")


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")


async def test_a_late_seat_is_cut_on_the_wire_once_enough_have_answered(provider):
    provider.reply("test/late", Hang())
    result = await afuse(QUESTION, panel(*SEATS, limits={"quorum": 2, "grace_seconds": 0.01}))
    (late,) = result.failed_models
    assert (late.seat, late.reason) == ("late", "straggler")
    assert [one.seat for one in result.responses] == ["one", "two"]
    assert (result.status, set(result.degraded)) == ("ok", {"panel_reduced", "straggler_cut"})
    await provider.until(lambda: [left.model for left in provider.disconnects] == ["test/late"])


async def test_what_a_late_seat_cost_is_unknown_and_not_nothing(provider):
    provider.reply("test/late", Hang())
    result = await afuse(QUESTION, panel(*SEATS, limits={"quorum": 2, "grace_seconds": 0.01}))
    (row,) = [row for row in result.usage.calls if row.seat == "late"]
    assert (row.input_tokens, row.cost_usd, row.cost_source) == (None, None, "unpriced")


async def test_a_late_seat_is_cut_in_the_middle_of_its_tools(provider, internet):
    from tests.scripted_server.web import Trickle

    internet.page("/slow", Trickle(interval=0.05))
    provider.reply("test/late", reads(internet.url("/slow")), "Too late.")
    for quick in SEATS[:2]:
        provider.reply(quick, searches(), "It was built in 1861.")
    config = panel(*SEATS, internet=internet, limits={"quorum": 2, "grace_seconds": 0.05})
    result = await afuse(QUESTION, config)
    assert [(row.seat, row.reason) for row in result.failed_models] == [("late", "straggler")]


async def test_within_the_grace_a_seat_still_counts(provider):
    gate = Gate()
    provider.reply("test/late", Reply("Just in time.", gate=gate))
    answered = []
    async for event in astream(QUESTION, panel(*SEATS, limits={"quorum": 2, "grace_seconds": 30})):
        if event["type"] == "panelist.answered":
            answered.append(event["seat"])
            if len(answered) == 2:
                gate.open()
    assert event["type"] == "run.completed"
    assert sorted(answered) == ["late", "one", "two"]
    assert event["result"]["degraded"] == []


async def test_by_default_everyone_is_waited_for(provider):
    gate = Gate()
    provider.reply("test/late", Reply("At last.", gate=gate))
    answered = []
    async for event in astream(QUESTION, panel(*SEATS, limits={"grace_seconds": 0})):
        if event["type"] == "panelist.answered":
            answered.append(event["seat"])
            if len(answered) == 2:
                gate.open()
    assert (answered[-1], event["result"]["degraded"]) == ("late", [])


UNUSABLE = [
    pytest.param(faults.unauthorized(), id="an error"),
    pytest.param(Reply(""), id="nothing"),
    pytest.param(Reply("", refusal="No."), id="a refusal"),
]


@pytest.mark.parametrize("unusable", UNUSABLE)
async def test_only_usable_answers_count_towards_the_quorum(provider, unusable):
    gate = Gate()
    provider.reply("test/one", unusable)
    provider.reply("test/late", Reply("At last.", gate=gate))
    ended = []
    async for event in astream(QUESTION, panel(*SEATS, limits={"quorum": 2, "grace_seconds": 0})):
        if event["type"] in ("panelist.answered", "panelist.failed"):
            ended.append(event["seat"])
            if len(ended) == 2:
                gate.open()
    assert ended[-1] == "late"
    assert [one["seat"] for one in event["result"]["responses"]] == ["two", "late"]


async def test_runs_side_by_side_do_not_close_each_others_panels(provider):
    """One graph, two runs at once: the first one's quorum is not the second one's."""
    gate = Gate()
    first = asyncio.create_task(afuse("First?", panel("test/slow", "test/slow-too", limits={"quorum": 1})))
    provider.reply("test/slow", Reply("Slow.", gate=gate))
    provider.reply("test/slow-too", Reply("Slow too.", gate=gate))
    second = await afuse("Second?", panel("test/one", "test/two", limits={"quorum": 1, "grace_seconds": 0}))
    gate.open()
    assert len((await first).responses) >= 1
    assert second.status == "ok"


async def test_a_seat_over_its_own_time_is_lost_and_the_rest_go_on(provider):
    provider.reply("test/late", Hang())
    result = await afuse(QUESTION, panel(*SEATS, limits={"seat_seconds": 3}))
    assert [(row.seat, row.reason) for row in result.failed_models] == [("late", "timeout")]
    assert result.degraded == ["panel_reduced"]
    await provider.until(lambda: [left.model for left in provider.disconnects] == ["test/late"])


HANGS = [
    pytest.param("test/late", "ok", {"panel_reduced"}, id="a seat"),
    pytest.param(JUDGE, "partial", {"analysis_unavailable", "deadline_reached"}, id="the judge"),
    pytest.param(WRITER, "partial", {"synthesis_unavailable", "deadline_reached"}, id="the writer"),
]


@pytest.mark.parametrize(("model", "status", "degraded"), HANGS)
async def test_whoever_hangs_the_run_ends_in_time_with_an_answer(provider, model, status, degraded):
    provider.reply(model, Hang())
    started = asyncio.get_running_loop().time()
    result = await afuse(QUESTION, panel(*SEATS, limits={"seconds": 4}))
    assert asyncio.get_running_loop().time() - started < 8
    assert result.answer
    assert (result.status, set(result.degraded)) == (status, degraded)
    await provider.until(lambda: {left.model for left in provider.disconnects} == {model})


@pytest.mark.parametrize("silence", [Hang(), Hang(keepalive=0.05), Hang(Reply("The first words"), after=2)])
async def test_no_kind_of_silence_outlasts_the_time(provider, silence):
    provider.otherwise(silence)
    with pytest.raises(PanelFailed) as failure:
        await afuse(QUESTION, panel("test/one", "test/two", limits={"seconds": 0.5}))
    assert {row["reason"] for row in failure.value.failed_models} == {"timeout"}


async def test_a_retry_that_would_start_too_late_is_not_waited_for(provider):
    provider.reply("test/one", faults.rate_limited(60))
    started = asyncio.get_running_loop().time()
    result = await afuse(QUESTION, panel("test/one", "test/two", limits={"seconds": 20}))
    assert asyncio.get_running_loop().time() - started < 5
    assert [(row.seat, row.reason) for row in result.failed_models] == [("one", "rate_limited")]


async def test_cancelling_the_caller_cancels_every_request_in_flight(provider):
    provider.otherwise(Hang())
    task = asyncio.create_task(afuse(QUESTION, panel(*SEATS)))
    await provider.until(lambda: provider.in_flight == 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await provider.until(lambda: len(provider.disconnects) == 3)


async def test_it_works_the_seats_side_by_side(provider):
    gate = Gate()
    provider.otherwise(Reply("1861.", gate=gate))
    task = asyncio.create_task(afuse(QUESTION, panel(*SEATS)))
    await provider.until(lambda: provider.in_flight == 3)
    gate.open()
    assert len((await task).responses) == 3
