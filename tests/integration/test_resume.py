"""A run whose process was killed: resumed elsewhere, it does the missing work alone, and bills the whole."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from typing import NamedTuple

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from fusion_tool import FusionConfig, afuse, astream, build_graph
from fusion_tool.api.stored_runs import list_runs
from tests.integration.breaking import (
    COST,
    SEATS,
    broken_off,
    cancelled,
    kept_answers,
    killed,
    script_answers,
    wait_for,
)
from tests.integration.panel import JUDGE, QUESTION, WRITER, kinds, panel, searches
from tests.scripted_server import Gate, Hang, Reply, faults
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback


@pytest.fixture
def file(tmp_path):
    return tmp_path / "runs.sqlite"


@pytest.fixture(autouse=True)
def answers(provider):
    script_answers(provider)


class Point(NamedTuple):
    """When the process dies: where `node` would begin, else while the `silent` are asked."""

    stage: str
    missing: set[str]
    silent: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    unknown: int = 0


POINTS = [
    pytest.param(Point("panelist", {*SEATS[1:], JUDGE, WRITER}, silent=SEATS[1:], unknown=2), id="panel"),
    pytest.param(Point("judge", {JUDGE, WRITER}, node=("judge",)), id="before the judge"),
    pytest.param(Point("judge", {JUDGE, WRITER}, silent=(JUDGE,), unknown=1), id="judge"),
    pytest.param(Point("synthesize", {WRITER}, silent=(WRITER,), unknown=1), id="synthesis"),
    pytest.param(Point("ground", set(), node=("ground",)), id="after synthesis"),
]


@pytest.mark.parametrize("point", POINTS)
def test_only_what_is_missing_is_asked_and_the_whole_is_billed(provider, file, point):
    run = killed(provider, file, panel(*SEATS), *point.node, silent=point.silent)
    assert (run.status, run.stage) == ("unfinished", point.stage)
    before = provider.counts
    result = asyncio.run(afuse(resume=run.id, keep=file))
    assert provider.counts - before == Counter(dict.fromkeys(point.missing, 1))
    assert [one.seat for one in result.responses] == ["one", "two", "three"]
    assert (result.run_id, result.status, result.degraded) == (run.id, "ok", [])
    assert result.analysis is not None
    known = [row for row in result.usage.calls if row.cost_usd is not None]
    assert Counter(row.stage for row in known) == {"panelist": 3, "judge": 1, "synthesizer": 1}
    assert result.usage.cost_usd == pytest.approx(5 * COST)
    assert result.usage.unpriced_calls == point.unknown
    (kept,) = asyncio.run(list_runs(file))
    assert (kept.status, kept.stage) == ("finished", None)


async def test_a_finished_run_is_told_again_for_nothing(provider, file):
    first = await afuse(QUESTION, panel(*SEATS), keep=file)
    before = provider.counts
    assert await afuse(resume=first.run_id, keep=file) == first
    events = [event async for event in astream(resume=first.run_id, keep=file)]
    assert kinds(events) == ["run.completed"]
    assert provider.counts == before


async def test_what_a_killed_seat_had_spent_is_unknown_and_not_nothing(provider, file):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    result = await afuse(resume=run_id, keep=file)
    rows = [(row.cost_usd, row.cost_source) for row in result.usage.calls if row.seat == "three"]
    assert rows == [(None, "unpriced"), (COST, "provider")]


async def test_a_seat_killed_in_a_tool_round_bills_each_of_its_calls(provider, file, internet):
    internet.hits(Hit(internet.url("/0"), "The mill", "built in 1861"))
    provider.reply("test/one", searches(cost=COST), Hang())
    config = panel("test/one", internet=internet, strategy="solo")
    task = asyncio.create_task(afuse(QUESTION, config, keep=file))
    await provider.until(lambda: provider.counts["test/one"] == 2)
    await cancelled(task)
    provider.reply("test/one", searches(cost=COST), Reply("In 1861.", cost=COST))
    (run,) = await list_runs(file)
    result = await afuse(resume=run.id, keep=file)
    assert [row.cost_usd for row in result.usage.calls] == [COST, None, COST, COST]
    assert len(result.usage.calls) == provider.counts["test/one"]


async def test_a_run_broken_off_twice_bills_both(provider, file):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    provider.reply("test/three", Hang())
    again = asyncio.create_task(afuse(resume=run_id, keep=file))
    await provider.until(lambda: provider.counts["test/three"] == 2)
    await cancelled(again)
    provider.reply("test/three", Reply("At last.", cost=COST))
    result = await afuse(resume=run_id, keep=file)
    assert [row.cost_usd for row in result.usage.calls if row.seat == "three"] == [None, None, COST]


async def test_a_resumed_run_tells_what_is_done_before_it_goes_on(provider, file):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    events = [event async for event in astream(resume=run_id, keep=file)]
    assert kinds(events)[:4] == ["run.started", "plan.chosen", "panelist.answered", "panelist.answered"]
    assert {event["run_id"] for event in events} == {run_id}
    assert [event["text"] for event in events if event["type"] == "panelist.answered"][:2] == [
        "It was built in 1861."
    ] * 2
    assert kinds(events).count("panelist.answered") == 3
    assert kinds(events)[-1] == "run.completed"


async def test_answers_from_before_count_towards_the_quorum(provider, file):
    limits = {"quorum": 2, "grace_seconds": 0.01}
    run_id = await broken_off(provider, file, panel(*SEATS, limits=limits), silent=["test/two", "test/three"])
    provider.reply("test/three", Hang())
    result = await afuse(resume=run_id, keep=file)
    assert [one.seat for one in result.responses] == ["one", "two"]
    assert [(row.seat, row.reason) for row in result.failed_models] == [("three", "straggler")]


async def test_a_quorum_reached_before_still_leaves_its_grace(provider, file):
    gate = Gate()
    provider.reply("test/three", Reply("Just in time.", gate=gate))
    limits = {"quorum": 2, "grace_seconds": 30}
    task = asyncio.create_task(afuse(QUESTION, panel(*SEATS, limits=limits), keep=file))
    await asyncio.to_thread(wait_for, lambda: kept_answers(file) == 2)
    await cancelled(task)
    gate.open()
    (run,) = await list_runs(file)
    assert len((await afuse(resume=run.id, keep=file)).responses) == 3


async def test_seats_lost_before_stay_lost(provider, file):
    provider.reply("test/one", faults.unauthorized())
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    result = await afuse(resume=run_id, keep=file)
    assert [(row.seat, row.reason) for row in result.failed_models] == [("one", "auth")]
    assert provider.counts["test/one"] == 1


@pytest.mark.parametrize("limits", [{"usd": 0.5}, {"tokens": 60_000}])
async def test_no_seat_spends_more_for_the_others_being_unknown(provider, file, limits):
    """A resumed seat has its own part of the limits and no more, whatever the finished ones left."""
    model = "openrouter:openai/gpt-5.5"
    provider.reply("openai/gpt-5.5", Reply("1861.", cost=COST))
    alone = FusionConfig(
        panel=[model] * 3, judge=f"openrouter:{JUDGE}", search=None, bash="off", limits=limits, allow_unpriced=True
    )
    await afuse(QUESTION, alone)
    whole = [request.body["max_tokens"] for request in provider.calls("openai/gpt-5.5")]
    provider.reply("openai/gpt-5.5", "1861.", "1861.", Hang())
    task = asyncio.create_task(afuse(QUESTION, alone, keep=file))
    await asyncio.to_thread(wait_for, lambda: kept_answers(file) == 2)
    await cancelled(task)
    provider.reply("openai/gpt-5.5", "1861.")
    (run,) = await list_runs(file)
    await afuse(resume=run.id, keep=file)
    assert provider.calls("openai/gpt-5.5")[-1].body["max_tokens"] <= max(whole)


class Reserved(NamedTuple):
    """A limit of tokens, who is killed under it, and how many of the tokens are that one's to spend."""

    silent: str
    tokens: int
    part: float


@pytest.mark.parametrize(
    "kept",
    [Reserved(SEATS[2], 60_000, 0.6 / 3), Reserved(JUDGE, 24_000, 0.75), Reserved(WRITER, 15_000, 1.0)],
    ids=["seat", "judge", "synthesizer"],
)
def test_what_a_killed_call_may_have_spent_counts_against_the_limits(provider, file, kept):
    run = killed(provider, file, panel(*SEATS, limits={"tokens": kept.tokens}), silent=(kept.silent,))
    result = asyncio.run(afuse(resume=run.id, keep=file))
    first, second = [request.body["max_tokens"] for request in provider.calls(kept.silent)]
    assert second < first
    assert first + second < kept.tokens * kept.part  # and their prompts
    assert result.status == "ok"


async def test_a_call_for_which_a_broken_off_one_may_have_left_nothing_is_not_made(provider, file):
    run_id = await broken_off(provider, file, panel(*SEATS, limits={"tokens": 24_000}), silent=SEATS[2:])
    result = await afuse(resume=run_id, keep=file)
    assert [(row.seat, row.reason) for row in result.failed_models] == [("three", "budget")]
    assert provider.counts[SEATS[2]] == 1
    assert "budget_exhausted" in result.degraded


async def test_a_seat_broken_off_twice_counts_once_and_with_the_most_it_may_have_spent(provider, file):
    limits = {"tokens": 90_000}
    run_id = await broken_off(provider, file, panel(*SEATS, limits=limits), silent=SEATS[2:])
    provider.reply(SEATS[2], Hang())
    again = asyncio.create_task(afuse(resume=run_id, keep=file))
    await provider.until(lambda: provider.counts[SEATS[2]] == 2)
    await cancelled(again)
    provider.reply(SEATS[2], Reply("At last.", cost=COST))
    result = await afuse(resume=run_id, keep=file)
    tokens = [request.body["max_tokens"] for request in provider.calls(SEATS[2])]
    assert sum(tokens) < 90_000 * 0.6 / 3
    assert tokens == sorted(tokens, reverse=True)
    assert [row.cost_usd for row in result.usage.calls if row.seat == "three"] == [None, None, COST]


@pytest.mark.parametrize(("limits", "written"), [({}, 0), ({"tokens": 60_000}, 3)])
async def test_reservations_are_written_down_under_a_limit_alone(provider, file, limits, written):
    await broken_off(provider, file, panel(*SEATS, limits=limits), silent=SEATS[2:])
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM writes WHERE channel = 'spent'").fetchone() == (written,)


async def test_with_any_checkpointer_the_graph_resumes_itself(provider):
    graph, thread = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    limits = {"quorum": 2, "grace_seconds": 0.01}
    provider.reply("test/two", Hang())
    provider.reply("test/three", Hang())
    asked = graph.ainvoke({"question": QUESTION}, thread, context=panel(*SEATS, limits=limits))
    task = asyncio.create_task(asked)
    await provider.until(lambda: provider.in_flight == 2 and provider.counts["test/one"] == 1)
    while not any(one.result for one in (await graph.aget_state(thread)).tasks):  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0)
    await cancelled(task)
    provider.reply("test/two", Reply("In 1861.", cost=COST))
    result = (await graph.ainvoke(None, thread))["result"]
    assert [one["seat"] for one in result["responses"]] == ["one", "two"]
    assert provider.counts["test/one"] == 1
