"""A run whose process was killed: resumed elsewhere, it does the missing work alone, and bills the whole."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langgraph.checkpoint.memory import InMemorySaver

from fusion_tool import ConfigError, FusionConfig, PanelFailed, afuse, astream, build_graph
from fusion_tool.runs import kept_runs
from tests.integration.panel import JUDGE, QUESTION, WRITER, kinds, panel, verdict
from tests.scripted_server import Gate, Hang, Reply, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two", "test/three")
COST = 0.001


@pytest.fixture
def file(tmp_path):
    return tmp_path / "runs.sqlite"


@pytest.fixture(autouse=True)
def answers(provider):
    for seat in SEATS:
        provider.reply(seat, Reply("It was built in 1861.", cost=COST))
    provider.reply(JUDGE, Reply(verdict(), cost=COST))
    provider.reply(WRITER, Reply("In 1861.", cost=COST))


def start(file, config, *node):
    """The run in a process of its own."""
    arguments = [sys.executable, "-m", "tests.integration.kept_run", str(file), config.model_dump_json(), *node]
    return subprocess.Popen(arguments)


def kept_answers(file):
    """How many seats' records have reached the file; `route` writes there too."""
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as connection:
        try:
            return connection.execute("SELECT count(*) FROM writes WHERE channel = 'records'").fetchone()[0] - 1
        except sqlite3.OperationalError:  # not there yet
            return 0


def wait_for(happened, seconds=20.0):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def killed(provider, file, config, *node, silent=()):
    """The id of a run that was killed: where it would begin `node`, else once all the `silent` are being asked."""
    for model in silent:
        provider.reply(model, Hang())
    with start(file, config, *node) as process:
        if silent:
            wait_for(lambda: all(provider.calls(model) for model in silent))
            done = len(set(SEATS) - set(silent)) if set(SEATS) & set(silent) else 0
            wait_for(lambda: kept_answers(file) >= done)
            process.kill()
        assert process.wait(60) == -signal.SIGKILL
    for model in silent:
        provider.reply(model, Reply(verdict() if model == JUDGE else "In 1861, at last.", cost=COST))
    (run,) = asyncio.run(kept_runs(file))
    assert run.question == QUESTION
    return run


POINTS = [
    pytest.param(["test/two", "test/three"], [], "panelist", {"test/two", "test/three", JUDGE, WRITER}, 2, id="panel"),
    pytest.param([], ["judge"], "judge", {JUDGE, WRITER}, 0, id="before the judge"),
    pytest.param([JUDGE], [], "judge", {JUDGE, WRITER}, 0, id="judge"),
    pytest.param([WRITER], [], "synthesize", {WRITER}, 0, id="synthesis"),
    pytest.param([], ["ground"], "ground", set(), 0, id="after synthesis"),
]


@pytest.mark.parametrize(("silent", "node", "stage", "missing", "unknown"), POINTS)
def test_only_what_is_missing_is_asked_and_the_whole_is_billed(provider, file, silent, node, stage, missing, unknown):
    run = killed(provider, file, panel(*SEATS), *node, silent=silent)
    assert (run.status, run.stage) == ("unfinished", stage)
    before = provider.counts
    result = asyncio.run(afuse(resume=run.id, keep=file))
    assert provider.counts - before == Counter(dict.fromkeys(missing, 1))
    assert [one.seat for one in result.responses] == ["one", "two", "three"]
    assert (result.run_id, result.status, result.degraded, result.answer) == (run.id, "ok", [], result.answer)
    assert result.analysis is not None
    known = [row for row in result.usage.calls if row.cost_usd is not None]
    assert Counter(row.stage for row in known) == {"panelist": 3, "judge": 1, "synthesizer": 1}
    assert result.usage.cost_usd == pytest.approx(5 * COST)
    assert result.usage.unpriced_calls == unknown
    (kept,) = asyncio.run(kept_runs(file))
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
    (run,) = await kept_runs(file)
    assert len((await afuse(resume=run.id, keep=file)).responses) == 3


async def test_seats_lost_before_stay_lost(provider, file):
    provider.reply("test/one", faults.unauthorized())
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    result = await afuse(resume=run_id, keep=file)
    assert [(row.seat, row.reason) for row in result.failed_models] == [("one", "auth")]
    assert provider.counts["test/one"] == 1


@pytest.mark.parametrize("limits", [{"usd": 0.02}, {"tokens": 60_000}])
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
    (run,) = await kept_runs(file)
    await afuse(resume=run.id, keep=file)
    assert provider.calls("openai/gpt-5.5")[-1].body["max_tokens"] <= max(whole)


async def test_with_any_checkpointer_the_graph_resumes_itself(provider):
    graph, thread = build_graph(checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}
    limits = {"quorum": 2, "grace_seconds": 0.01}
    provider.reply("test/two", Hang())
    provider.reply("test/three", Hang())
    asked = graph.ainvoke({"question": QUESTION}, thread, context=panel(*SEATS, limits=limits))
    task = asyncio.create_task(asked)
    await provider.until(lambda: provider.in_flight == 2 and provider.counts["test/one"] == 1)
    while not any(one.result for one in (await graph.aget_state(thread)).tasks):
        await asyncio.sleep(0)
    await cancelled(task)
    provider.reply("test/two", Reply("In 1861.", cost=COST))
    result = (await graph.ainvoke(None, thread))["result"]
    assert [one["seat"] for one in result["responses"]] == ["one", "two"]
    assert provider.counts["test/one"] == 1


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"limits": {"usd": 3.0}}, "limits.usd"),
        ({"judge": f"openrouter:{WRITER}"}, "judge.model"),
        ({"panel": tuple(f"openrouter:{seat}" for seat in SEATS[:2])}, "panel"),
        ({"excluded_domains": ["example.org"]}, "excluded_domains"),
    ],
)
async def test_another_configuration_is_refused(provider, file, other, field):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    before = provider.counts
    with pytest.raises(ConfigError, match=r"started with") as refused:
        await afuse(None, panel(*SEATS), resume=run_id, keep=file, allow_unpriced=True, **other)
    assert refused.value.field in (field, "allow_unpriced")
    with pytest.raises(ConfigError) as refused:
        await afuse(None, panel(*SEATS, **other), resume=run_id, keep=file)
    assert refused.value.field == field
    assert "\n" not in str(refused.value)
    assert provider.counts == before


async def test_the_same_configuration_is_taken(provider, file):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    assert (await afuse(None, panel(*SEATS), resume=run_id, keep=file)).status == "ok"


async def test_a_model_object_is_never_stored_and_must_be_given_again(provider, file):
    judge = FakeListChatModel(responses=[verdict()], metadata={"authorization": "Bearer topsecret"})
    config = panel(*SEATS, judge=judge)
    run_id = await broken_off(provider, file, config, silent=["test/three"])
    assert b"topsecret" not in b"".join(path.read_bytes() for path in file.parent.iterdir())
    with pytest.raises(ConfigError, match=r"judge.model: .*FakeListChatModel.* object") as refused:
        await afuse(resume=run_id, keep=file)
    assert refused.value.field == "judge.model"
    assert (await afuse(None, config, resume=run_id, keep=file)).status == "ok"


async def test_a_run_that_is_worked_on_is_left_alone(provider, file):
    """Two processes that resume one run do not both pay."""
    gate = Gate()
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    provider.reply("test/three", Reply("At last.", gate=gate))
    first = asyncio.create_task(afuse(resume=run_id, keep=file))
    await provider.until(lambda: provider.counts["test/three"] == 2)
    code = (
        "import sys; from pathlib import Path; from fusion_tool import fuse\n"
        "try: fuse(resume=sys.argv[1], keep=Path(sys.argv[2]))\n"
        "except Exception as error: print(type(error).__mro__[1].__name__, error)"
    )
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, run_id, str(file), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await second.communicate()
    assert said.decode().strip() == f"ConfigError resume: run {run_id} is being worked on by another process"
    gate.open()
    assert len((await first).responses) == 3
    assert provider.counts["test/three"] == 2


@pytest.mark.parametrize("run_id", ["0" * 32, "../../etc/passwd", ""])
async def test_an_unknown_run_is_named(file, run_id):
    with pytest.raises(ConfigError, match="no run"):
        await afuse(resume=run_id, keep=file)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


async def test_a_question_or_a_run_not_both(file):
    with pytest.raises(ConfigError, match="question"):
        await afuse(QUESTION, resume="0" * 32, keep=file)


async def test_a_missing_key_is_told_before_a_seat_is_lost_to_it(provider, file, monkeypatch):
    run_id = await broken_off(provider, file, panel(*SEATS), silent=["test/three"])
    monkeypatch.delenv("OPENROUTER_API_KEY")
    with pytest.raises(ConfigError, match="OPENROUTER_API_KEY"):
        await afuse(resume=run_id, keep=file)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-1")
    assert len((await afuse(resume=run_id, keep=file)).responses) == 3


async def test_a_run_refused_at_its_start_leaves_nothing(file):
    with pytest.raises(ConfigError):
        await afuse(" ", panel(*SEATS), keep=file)
    assert await kept_runs(file) == []


async def test_a_panel_that_failed_is_no_run_to_resume(provider, file):
    provider.otherwise(faults.unauthorized())
    for seat in SEATS:
        provider.reply(seat, faults.unauthorized())
    with pytest.raises(PanelFailed):
        await afuse(QUESTION, panel(*SEATS), keep=file)
    (run,) = await kept_runs(file)
    assert run.status == "failed"
    before = provider.counts
    with pytest.raises(PanelFailed):
        await afuse(resume=run.id, keep=file)
    assert provider.counts == before


async def broken_off(provider, file, config, silent):
    """The id of a run that was cancelled while the seats `silent` were at work; they answer afterwards."""
    for model in silent:
        provider.reply(model, Hang())
    task = asyncio.create_task(afuse(QUESTION, config, keep=file))
    await asyncio.to_thread(wait_for, lambda: kept_answers(file) == len(config.panel) - len(silent))
    await provider.until(lambda: all(provider.calls(model) for model in silent))
    await cancelled(task)
    for model in silent:
        provider.reply(model, Reply("In 1861, at last.", cost=COST))
    (run,) = await kept_runs(file)
    return run.id


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
