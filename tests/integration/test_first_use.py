"""The first use of a model on a server of one's own: its trial, once, seen in events and bill; and what follows."""

import asyncio

import pytest
from langchain_core.tools import tool

from fusion_tool import FusionConfig, afuse, astream
from fusion_tool.graph.agents import first_use
from fusion_tool.models import abilities, identity
from fusion_tool.models.providers import has_own_server
from tests.integration.panel import QUESTION
from tests.scripted_server import Hang, Reply, ToolCall, faults

pytestmark = pytest.mark.loopback

MODEL = "own"
CITED = "The Alder mill was built in 1861 [b07d55e1]."
CALL = Reply(tool_calls=[ToolCall("search_documents", {"query": "mill"})])
CLAIMS = '{"claims": [{"text": "The Alder mill was built in 1861.", "source": 1}]}'


@pytest.fixture(autouse=True)
def own_server(monkeypatch, tmp_path):
    """A scripted server is the user's own, and nothing is known of its models."""
    monkeypatch.setattr(identity, "has_own_server", has_own_server)
    monkeypatch.setattr(first_use, "_failed_at", {})
    monkeypatch.setattr(abilities, "_memory", {})
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def is_trial(request) -> bool:
    return request.model is not None and request.body.get("temperature") == 0


def is_for_tools(request) -> bool:
    return is_trial(request) and bool(request.body.get("tools"))


@pytest.fixture
def config(scripted, tmp_path):
    """Three seats of one model that claims to need nothing, over a document."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "mill.md").write_text("The Alder mill was built in 1861. It burned down in 1904.")
    seat = {"model": MODEL, "base_url": scripted.url}
    settings = {"documents": {"path": str(folder)}, "search": None, "bash": "off"}
    return FusionConfig(panel=(seat, seat, seat), **settings)


def script(scripted, *, calls: object, cites: object, says: object = CLAIMS) -> None:
    scripted.on(is_for_tools, calls)
    scripted.on(is_trial, cites)
    scripted.otherwise(says)


@tool
def look_up(word: str) -> str:
    """Look a word up."""
    return word


def trials(scripted):
    return [request for request in scripted.requests if is_trial(request)]


async def test_seats_runs_and_later_processes_share_one_trial_that_events_and_bill_show(scripted, config, monkeypatch):
    script(scripted, calls="Two hours.", cites="In 1861.")
    sent = [event async for event in astream(QUESTION, config)]
    started = [event for event in sent if event["type"] == "trial.started"]
    (ended,) = (event for event in sent if event["type"] == "trial.completed")
    assert [(event["model"], event["seat"]) for event in started] == [(MODEL, ended["seat"])]
    assert (ended["calls_tools"], ended["cites"], ended["path"], ended["failure"]) == (False, False, "claims", None)
    rows = sent[-1]["result"]["usage"]["calls"]
    assert [row["seat"] for row in rows if row["stage"] == "trial"] == [ended["seat"]] * 3
    assert len(trials(scripted)) == 3
    monkeypatch.setattr(abilities, "_memory", {})
    await asyncio.gather(afuse(QUESTION, config), afuse("When did the mill burn?", config))
    assert len(trials(scripted)) == 3


PATHS = [
    pytest.param(CALL, CITED, "tools", id="it calls and cites"),
    pytest.param("Two hours.", CITED, "evidence", id="it cites"),
    pytest.param("Two hours.", "In 1861.", "claims", id="it does neither"),
    pytest.param(CALL, "In 1861.", "claims", id="it calls"),
]


@pytest.mark.parametrize(("calls", "cites", "path"), PATHS)
async def test_seats_are_asked_as_the_model_can_be(scripted, config, calls, cites, path):
    script(scripted, calls=calls, cites=cites)
    alone = config.model_copy(update={"panel": config.panel[:1], "strategy": "solo"})
    result = await afuse(QUESTION, alone, panel_tools=[look_up])
    # The caller's own tool is used by a model that calls tools alone, and a reader sees where it was not.
    missed = [(row.tool, row.reason) for row in result.tool_failures]
    assert missed == ([] if path == "tools" else [("look_up", "unavailable")])
    asked = [request for request in scripted.requests if request.model and not is_trial(request)]
    assert bool(asked[0].body.get("tools")) is (path == "tools")
    assert ("response_format" in asked[0].body) is (path == "claims")
    assert ("1904" in asked[0].prompt) is (path != "tools")


async def test_a_trial_that_fails_leaves_what_is_configured_and_says_so_once(scripted, config):
    script(scripted, calls=faults.http_error(500, "out of memory"), cites=CITED, says="The mill was built in 1861.")
    sent = [event async for event in astream(QUESTION, config)]
    (ended,) = (event for event in sent if event["type"] == "trial.completed")
    assert (ended["calls_tools"], ended["cites"], ended["path"]) == (None, None, "tools")
    assert "out of memory" in ended["failure"]
    told = [row for row in sent[-1]["result"]["failed_models"] if "in its trial" in row["message"]]
    assert [row["seat"] for row in told] == [ended["seat"]]
    before = len(trials(scripted))
    await afuse("When did the mill burn?", config)
    assert len(trials(scripted)) == before


async def test_a_seat_that_is_cancelled_in_its_trial_leaves_it_to_the_next(scripted, config):
    scripted.on(is_for_tools, Hang(), CALL)
    script(scripted, calls=CALL, cites=CITED)
    run = asyncio.create_task(afuse(QUESTION, config))
    await scripted.until(lambda: bool(trials(scripted)))
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    result = await afuse(QUESTION, config)
    assert [row.stage for row in result.usage.calls].count("trial") == 2
    assert len(trials(scripted)) == 3


async def test_under_a_limit_too_small_for_it_there_is_no_trial(scripted, config):
    script(scripted, calls=CALL, cites=CITED, says="In 1861.")
    limited = config.model_copy(update={"limits": config.limits.model_copy(update={"tokens": 22_000})})
    result = await afuse(QUESTION, limited)
    assert trials(scripted) == []
    assert any("limits.tokens" in row.message for row in result.failed_models)


async def test_a_judge_alone_has_its_trial_too_and_is_asked_as_a_small_one(scripted, config):
    script(scripted, calls="Two hours.", cites="In 1861.", says="{}")
    seats = [{"model": f"seat-{n}", "base_url": scripted.url, "max_input_tokens": 2000} for n in range(2)]
    scripted.reply("seat-0", '{"claims": [{"text": "The mill was built in 1861.", "source": 1}]}')
    scripted.reply("seat-1", '{"claims": [{"text": "The mill burned down in 1904.", "source": 1}]}')
    judged = config.model_validate(
        config.model_dump() | {"panel": seats, "judge": {"model": MODEL, "base_url": scripted.url}}
    )
    result = await afuse(QUESTION, judged)
    assert [row.seat for row in result.usage.calls if row.stage == "trial"] == [None] * 3
    asked = [request for request in scripted.calls(MODEL) if not is_trial(request)]
    assert "You compare answers to a question. Reply in JSON" in asked[0].prompt
