"""The response cache: asked again on the same day, a question gets the stored result and pays nothing."""

import asyncio
import json
import logging
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from fusion_tool import FusionConfig, Limits, afuse, astream, fuse
from fusion_tool.api import response_cache, response_store
from fusion_tool.api.response_cache import as_cached, cache_slot
from fusion_tool.api.response_store import SqliteResponses
from fusion_tool.errors import ConfigError, PanelFailed, RecursionRefused
from fusion_tool.graph.result import FusionResult
from fusion_tool.testing import fake_config
from tests.scripted_server import Gate, Reply, faults
from tests.unit.results import bill, result

Q = "When was the mill built?"
CONFIG = FusionConfig(panel=("openrouter:v/a", "openrouter:v/b"), cache=True, search=None, bash="off")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    response_cache._failing.clear()
    return SqliteResponses().path


def made(**fields) -> dict:
    return result(question=Q, usage=bill(0.25, None), **fields).model_dump(mode="json")


async def ask(config=CONFIG, question=Q, context="", *, answer=None, log=None) -> dict:
    """What a face does: the stored result, or one made now."""
    async with cache_slot(question, context, config) as mine:
        if mine.result is None:
            if log is not None:
                log.append(question)
            await mine.fill(answer or made())
    return mine.result


async def test_the_second_time_it_is_given_again_marked_and_billed_nothing():
    first, second = await ask(), FusionResult.model_validate(await ask())
    assert not first["cached"]
    assert second.cached
    assert second.answer == first["answer"]
    assert second.run_id == first["run_id"]
    assert second.usage.model_dump() == {
        "calls": [],
        "input_tokens": 0,
        "output_tokens": 0,
        "cost_usd": 0.0,
        "unpriced_calls": 0,
    }
    assert second.timing.panel_seconds is None
    assert second.plan.reason.startswith("r; from the cache: ")
    assert "$0.2500 and 1 calls of unknown cost" in second.plan.reason


async def test_without_the_setting_nothing_is_looked_up_or_kept(folder):
    first, second = [await afuse(Q, fake_config("In 1861.", "In 1871.")) for _ in range(2)]
    assert first.run_id != second.run_id
    assert not second.cached
    assert not folder.exists()


def changed(**fields) -> FusionConfig:
    return FusionConfig(**(dict(CONFIG) | fields))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"config": changed(summary_tokens=200, trace_content=False)}, True),
        ({"question": f"  {Q}\n"}, True),
        ({"question": "When was it burnt?"}, False),
        ({"context": "It is old."}, False),
        ({"config": changed(panel=("openrouter:v/a", "openrouter:v/a"))}, False),
        ({"config": changed(panel=("openrouter:v/b", "openrouter:v/a"))}, False),
        ({"config": changed(judge="openrouter:v/j")}, False),
        ({"config": changed(limits=Limits(seconds=20))}, False),
        ({"config": changed(excluded_domains=("example.org",))}, False),
        ({"config": changed(strategy="solo")}, False),
        ({"config": changed(deny=("x/*",))}, False),
    ],
)
async def test_what_makes_two_calls_the_same(other, same):
    log = []
    await ask(log=log)
    await ask(**other, log=log)
    assert len(log) == (1 if same else 2)


async def test_another_day_version_or_endpoint_is_another_call(monkeypatch):
    log = []
    await ask(log=log)
    with monkeypatch.context() as patch:
        patch.setattr(response_cache, "version", lambda: "9.9")
        await ask(log=log)
    with monkeypatch.context() as patch:
        patch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:1/v1")
        await ask(log=log)
    await ask(log=log)
    assert len(log) == 3
    with monkeypatch.context() as patch:
        patch.setattr(response_cache, "utc_day", lambda: "2999-01-01")
        await ask(log=log)
    assert len(log) == 4


async def test_changed_documents_are_another_call(tmp_path):
    papers = tmp_path / "papers"
    papers.mkdir()
    file, log, config = papers / "a.md", [], changed(documents=papers)
    file.write_text("one")
    os.utime(file, (1, 1))
    await ask(config, log=log)
    file.write_text("two!")
    os.utime(file, (2, 2))
    await ask(config, log=log)
    assert len(log) == 2


async def test_results_of_earlier_days_are_deleted(folder, monkeypatch):
    monkeypatch.setattr(response_store, "utc_day", lambda: "2026-01-01")
    await ask()
    monkeypatch.setattr(response_store, "utc_day", lambda: "2026-01-02")
    await ask(question="Another?")
    with closing(sqlite3.connect(folder)) as connection:
        assert connection.execute("SELECT day FROM results").fetchall() == [("2026-01-02",)]


async def test_a_partial_result_is_not_stored():
    log = []
    for _ in range(2):
        await ask(answer=made(status="partial"), log=log)
    assert len(log) == 2


async def test_what_is_stored_is_its_owner_s_alone_and_holds_no_key(folder, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
    await ask()
    assert folder.stat().st_mode & 0o077 == 0
    assert b"0123456789abcdef" not in folder.read_bytes()


@pytest.mark.parametrize("unknown", [None, 0.5])
def test_the_original_bill_is_told_as_it_is_known(unknown):
    told = as_cached(result(usage=bill(unknown)).model_dump(mode="json"), 0.0)["plan"]["reason"]
    assert told.endswith("cost $0.5000" if unknown else "cost an unknown amount and 1 calls of unknown cost")


# -- at once ------------------------------------------------------------------------------------------------------


async def test_those_who_ask_at_once_share_one_run():
    log, began, go = [], asyncio.Event(), asyncio.Event()

    async def maker() -> dict:
        async with cache_slot(Q, "", CONFIG) as mine:
            if mine.result is None:
                log.append(1)
                began.set()
                await go.wait()
                await mine.fill(made())
        return mine.result

    asking = [asyncio.create_task(maker()) for _ in range(20)]
    await began.wait()
    go.set()
    results = await asyncio.gather(*asking)
    assert len(log) == 1
    assert sorted(one["cached"] for one in results) == [False] + [True] * 19


@pytest.mark.parametrize("end", ["failed", "cancelled"])
async def test_where_the_maker_ends_a_follower_takes_over(end):
    log, began, go = [], asyncio.Event(), asyncio.Event()

    async def maker() -> dict:
        async with cache_slot(Q, "", CONFIG) as mine:
            if mine.result is None:
                log.append(1)
                began.set()
                await go.wait()
                if len(log) == 1:
                    raise PanelFailed([])
                await mine.fill(made())
        return mine.result

    leader = asyncio.create_task(maker())
    await began.wait()
    followers = [asyncio.create_task(maker()) for _ in range(5)]
    await asyncio.sleep(0)
    if end == "cancelled":
        leader.cancel()
    go.set()
    (first, *rest) = await asyncio.gather(leader, *followers, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError if end == "cancelled" else PanelFailed)
    assert len(log) == 2
    assert sorted(one["cached"] for one in rest) == [False] + [True] * 4


async def test_a_follower_that_is_cancelled_leaves_the_run_alone():
    async with cache_slot(Q, "", CONFIG) as mine:
        follower = asyncio.create_task(ask())
        other = asyncio.create_task(ask())
        await asyncio.sleep(0.02)
        follower.cancel()
        await asyncio.wait([follower])
        await mine.fill(made())
    assert (await other)["cached"]


async def test_a_partial_result_is_shared_with_those_who_waited():
    async with cache_slot(Q, "", CONFIG) as mine:
        follower = asyncio.create_task(ask(log=(log := [])))
        await asyncio.sleep(0.02)
        await mine.fill(made(status="partial"))
    assert (await follower)["status"] == "partial"
    assert log == []


async def test_a_maker_that_stopped_listening_holds_nobody_longer_than_a_run_takes():
    config, log = changed(limits=Limits(seconds=0.05)), []
    async with cache_slot(Q, "", config) as stalled:
        assert not (await ask(config, log=log))["cached"]
        await stalled.fill(made())
    assert len(log) == 1


def test_threads_and_loops_share_one_run():
    log, began, go = [], threading.Event(), threading.Event()

    async def maker() -> bool:
        async with cache_slot(Q, "", CONFIG) as mine:
            if mine.result is None:
                log.append(1)
                began.set()
                await asyncio.to_thread(go.wait)
                await mine.fill(made())
        return bool(mine.result["cached"])

    with ThreadPoolExecutor(6) as pool:
        asking = [pool.submit(asyncio.run, maker()) for _ in range(6)]
        began.wait()
        go.set()
        assert sorted(one.result() for one in asking) == [False] + [True] * 5
    assert len(log) == 1


# -- refused ------------------------------------------------------------------------------------------------------


async def test_a_model_given_as_an_object_is_refused_by_name():
    with pytest.raises(ConfigError, match="cache: 'scripted-1' was given as an object"):
        await afuse(Q, fake_config(cache=True))


async def test_the_caller_s_own_tools_are_refused():
    with pytest.raises(ConfigError, match="cache: the cache cannot tell the tool"):
        await afuse(Q, CONFIG, panel_tools=[print])


@pytest.mark.usefixtures("in_seat")
async def test_a_seat_that_asks_its_own_question_is_refused_instead_of_waiting_for_itself():
    with pytest.raises(RecursionRefused):
        await ask()


# -- a file of no use ---------------------------------------------------------------------------------------------


def in_the_way(path):
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("a file where the folder should be")


def corrupt(path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"this has never been a database; it is longer than a header. " * 50)


@pytest.mark.parametrize(("breaking", "runs"), [(in_the_way, 3), (corrupt, 1)])
async def test_a_file_of_no_use_costs_one_warning_never_the_answer(folder, caplog, breaking, runs):
    breaking(folder)
    log = []
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert (await ask(log=log))["answer"]
    assert len(log) == runs
    assert len(caplog.records) == 1


async def test_a_stored_result_that_cannot_be_read_is_made_anew(folder):
    await ask()
    with closing(sqlite3.connect(folder)) as connection, connection:
        connection.execute("UPDATE results SET result = '{'")
    assert not (await ask())["cached"]


# -- through the faces --------------------------------------------------------------------------------------------


@pytest.fixture
def provider(scripted, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
    scripted.reply("v/judge", Reply(json.dumps(_ANALYSIS), cost=0.01))
    scripted.reply("v/writer", Reply("In 1861.", cost=0.01))
    return scripted


_ANALYSIS = {
    "consensus": [],
    "contradictions": [],
    "partial_coverage": [],
    "unique_insights": [],
    "blind_spots": [],
}


def panel(*seats: str) -> FusionConfig:
    return changed(panel=seats, judge="openrouter:v/judge", synthesizer="openrouter:v/writer")


@pytest.mark.loopback
def test_the_faces_share_what_is_stored(provider):
    config = panel("openrouter:v/a")
    provider.reply("v/a", Reply("1861", cost=0.01))

    async def streamed() -> list:
        return [event async for event in astream(Q, config)]

    first = fuse(Q, config)
    before = provider.counts
    second, events = asyncio.run(afuse(Q, config)), asyncio.run(streamed())
    assert provider.counts == before
    assert (first.cached, second.cached) == (False, True)
    assert (second.answer, second.usage.cost_usd) == (first.answer, 0.0)
    assert [event["type"] for event in events] == ["run.started", "run.completed"]
    assert {event["run_id"] for event in events} == {first.run_id}
    assert events[-1]["result"]["cached"]


@pytest.mark.loopback
async def test_what_was_streamed_is_stored(provider):
    config = panel("openrouter:v/a")
    provider.reply("v/a", Reply("1861"))
    events = [event async for event in astream(Q, config)]
    assert len(events) > 2
    assert (await afuse(Q, config)).cached


@pytest.mark.loopback
async def test_the_seats_of_one_model_stay_two(provider):
    answers = iter(["In 1861.", "In 1871."])
    provider.reply("v/a", lambda _request: Reply(next(answers)))
    config = panel("openrouter:v/a", "openrouter:v/a")
    first, second = await afuse(Q, config), await afuse(Q, config)
    assert {one.content for one in first.responses} == {"In 1861.", "In 1871."}
    assert provider.counts["v/a"] == 2
    assert second.cached
    assert second.responses == first.responses


@pytest.mark.loopback
async def test_a_stream_that_is_left_lets_another_take_over(provider):
    gate = Gate()
    provider.reply("v/a", Reply("1861", gate=gate))
    config = panel("openrouter:v/a")
    events = astream(Q, config)
    await anext(events)
    other = asyncio.create_task(afuse(Q, config))
    await asyncio.sleep(0.05)
    await events.aclose()
    gate.open()
    assert not (await other).cached


@pytest.mark.loopback
async def test_a_failed_run_is_not_stored(provider):
    config = panel("openrouter:v/a")
    provider.reply("v/a", faults.unauthorized(), Reply("1861"))
    with pytest.raises(PanelFailed):
        await afuse(Q, config)
    assert not (await afuse(Q, config)).cached


@pytest.mark.loopback
async def test_a_kept_run_is_made_once_and_a_resumed_one_leaves_the_cache_alone(provider, tmp_path):
    config, file = panel("openrouter:v/a"), tmp_path / "runs.sqlite"
    provider.reply("v/a", Reply("1861", cost=0.01))
    first = await afuse(Q, config, keep=file)
    assert (await afuse(Q, config, keep=file)).cached
    resumed = await afuse(resume=first.run_id, keep=file)
    assert not resumed.cached
    assert resumed.usage == first.usage
