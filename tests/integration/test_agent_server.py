"""`langgraph dev` serves the graphs, as Studio and the SDK see them: offline, without any key.

Blocking calls in asynchronous code raise there, so that every run here also shows that none is made.
"""

import importlib.util
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from fusion_tool import FusionConfig
from fusion_tool.sandbox import probe
from tests.integration.dev_server import ROOT, dev_server, run
from tests.integration.panel import kinds
from tests.scripted_server import Reply, Request, ScriptedServer, ToolCall, faults
from tests.scripted_server.web import Hit, WebServer

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(
        importlib.util.find_spec("langgraph_api") is None,
        reason="langgraph dev needs the extra: pip install 'fusion-tool[studio]'",
    ),
]

MARS, MOON = "What does Mars weigh?", "What does the Moon weigh?"
ANALYSIS = {
    "consensus": ["It is heavy."],
    "contradictions": [],
    "partial_coverage": [],
    "unique_insights": [],
    "blind_spots": [],
}


@pytest.fixture(scope="module")
def internet() -> Iterator[WebServer]:
    """The web and the search engine that the server's environment names."""
    with WebServer() as web:
        yield web


@pytest.fixture(scope="module")
def served(internet: WebServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dev_server(tmp_path_factory.mktemp("agent-server"), SEARXNG_URL=internet.root) as address:
        yield address


@pytest.fixture
async def client(served: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=served, api_key=None) as client:
        yield client


@pytest.fixture
def panel(scripted: ScriptedServer) -> dict[str, Any]:
    """A context of two seats and a judge, none of which needs a key."""
    scripted.reply("judge", json.dumps(ANALYSIS), "Both say so.")
    scripted.otherwise(lambda request: f"{request.model} says: {asked(request)}")
    return {**seats(scripted, "one", "two"), "judge": seat(scripted, "judge"), "search": None, "bash": "off"}


def seat(server: ScriptedServer, model: str) -> dict[str, Any]:
    return {"model": model, "base_url": server.url}


def seats(server: ScriptedServer, *models: str) -> dict[str, Any]:
    return {"panel": [seat(server, model) for model in models]}


def asked(request: Request) -> str:
    """Which of the two questions a prompt is about; both, where runs are mixed."""
    return " and ".join(question for question in (MARS, MOON) if question in request.prompt)


async def test_a_run_streams_its_progress_and_ends_with_the_result(client, panel):
    streamed = await run(client, "fusion", {"question": MOON}, panel)
    result = streamed.result
    assert (result.status, result.answer, result.question) == ("ok", "Both say so.", MOON)
    assert [response.content for response in result.responses] == [f"one says: {MOON}", f"two says: {MOON}"]
    assert result.analysis is not None
    assert result.analysis.consensus == ANALYSIS["consensus"]
    assert streamed.nodes == ["route", "fan_out", "panelist", "panelist", "judge", "synthesize", "ground"]
    order = kinds(streamed.events)
    assert order[:3] == ["run.started", "plan.chosen", "wave.started"]
    assert sorted(order[3:7]) == ["panelist.answered"] * 2 + ["panelist.started"] * 2
    assert order[7:9] == ["panel.closed", "judge.completed"]
    assert "".join(e["text"] for e in streamed.events if e["type"] == "synthesis.delta") == result.answer
    assert streamed.events[-1]["result"] == streamed.state["result"]
    assert {event["run_id"] for event in streamed.events} == {result.run_id}


async def test_in_the_chat_the_answer_is_a_message(client, panel):
    streamed = await run(client, "fusion", {"messages": [{"role": "user", "content": MOON}]}, panel)
    said = [(message["type"], message["content"]) for message in streamed.state["messages"]]
    assert said == [("human", MOON), ("ai", "Both say so.")]


async def test_a_second_question_on_a_thread_is_answered_by_itself(client, panel, scripted):
    thread = (await client.threads.create())["thread_id"]
    first = await run(client, "fusion", {"question": MARS, "context": "The red one."}, panel, thread)
    before = len(scripted.requests)
    scripted.reply("judge", json.dumps(ANALYSIS), "Another answer.")
    second = await run(client, "fusion", {"question": MOON}, panel, thread)
    assert (first.result.question, second.result.question) == (MARS, MOON)
    assert second.result.answer == "Another answer."
    assert [response.content for response in second.result.responses] == [f"one says: {MOON}", f"two says: {MOON}"]
    assert len(second.result.usage.calls) == len(first.result.usage.calls) == 4
    later = [request.prompt for request in scripted.requests[before:]]
    assert not [prompt for prompt in later if MARS in prompt or "The red one." in prompt]


async def test_every_tool_works_where_blocking_calls_raise(client, scripted, internet, tmp_path):
    (tmp_path / "moon.md").write_text("# The Moon\n\nThe press says that the Moon weighs 73 quintillion tonnes.\n")
    internet.page("/moon", f"<title>The Moon</title><p>{'The Moon weighs 73 quintillion tonnes. ' * 9}</p>")
    internet.hits(Hit(internet.url("/moon"), "The Moon", "It weighs 73 quintillion tonnes."))
    wanted = [
        ToolCall("web_search", {"query": "Moon mass"}),
        ToolCall("fetch_page", {"url": internet.url("/moon")}),
        ToolCall("search_documents", {"query": "Moon weighs"}),
        ToolCall("bash", {"command": "echo 73"}),
    ]
    scripted.reply("one", lambda request: next_call(request, wanted))
    context = {
        **seats(scripted, "one"),
        "search": {"providers": ["searxng"]},
        "fetch": {"allowed_private_hosts": [f"127.0.0.1:{internet.port}"]},
        "documents": str(tmp_path),
    }
    streamed = await run(client, "panelist", {"question": MOON}, context)
    record = streamed.record
    retrieved = ["result", "page", "document", *(["command"] if (await probe()).works else [])]
    assert record["failures"] == []
    assert [source["kind"] for source in record["found"]] == retrieved


def next_call(request: Request, wanted: list[ToolCall]) -> Reply | str:
    """The next of the wanted calls whose tool is offered, then what they brought."""
    offered = [call for call in wanted if call.name in request.tools]
    done = len(request.tool_results)
    return Reply(tool_calls=[offered[done]]) if done < len(offered) else "\n".join(request.tool_results)


async def test_a_seat_alone_shows_its_whole_record(client, panel):
    streamed = await run(client, "panelist", {"question": MOON}, panel)
    record = streamed.record
    assert streamed.nodes == ["route", "panelist", "audit"]
    assert (record["seat"], record["answered"], record["content"]) == ("one", True, f"one says: {MOON}")
    assert [call["model"] for call in record["calls"]] == ["one"]
    assert streamed.state["audit"] == {"supported": 0, "weak": 0, "mismatch": 0, "unknown": 0}


async def test_a_seat_that_fails_alone_is_a_record_with_the_reason(client, panel, scripted):
    scripted.reply("one", faults.unauthorized())
    streamed = await run(client, "panelist", {"question": MOON}, panel)
    assert not streamed.record["answered"]
    assert [failure["reason"] for failure in streamed.record["failures"]] == ["auth"]


@pytest.mark.parametrize("graph", ["fusion", "panelist"])
async def test_without_key_and_context_the_error_names_both_cures(client, graph):
    streamed = await run(client, graph, {"question": MOON}, None)
    assert streamed.complaint.startswith("ConfigError: no model provider is configured: set OPENROUTER_API_KEY")
    assert "'local'" in streamed.complaint


async def test_a_failed_panel_says_why(client, panel, scripted):
    scripted.otherwise(faults.unauthorized())
    streamed = await run(client, "fusion", {"question": MOON}, panel)
    assert streamed.complaint.startswith("PanelFailed: no usable answer from the panel (one auth: ")


@pytest.mark.parametrize(("graph", "returned"), [("fusion", {"result", "messages"}), ("panelist", {"record", "audit"})])
async def test_studio_gets_every_schema(client, graph, returned):
    (assistant,) = await client.assistants.search(graph_id=graph, metadata={"created_by": "system"})
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    given, context = schemas["input_schema"], schemas["context_schema"]
    assert set(given["properties"]) == {"question", "context", "messages"}
    assert given["properties"]["question"]["type"] == "string"
    assert set(schemas["output_schema"]["properties"]) == returned
    assert schemas["state_schema"]
    assert set(context["properties"]) == set(FusionConfig.model_fields)
    assert context["properties"]["panel"]["items"] == {"$ref": "#/$defs/Panelist"}
    assert {"$ref": "#/$defs/Panelist"} in context["properties"]["judge"]["anyOf"]
    assert context["properties"]["limits"]["$ref"] == "#/$defs/Limits"
    assert context["$defs"]["Panelist"]["properties"]["model"]["type"] == "string"
    assert context["$defs"]["Limits"]["properties"]["seconds"]["type"] == "number"


@pytest.mark.parametrize(
    ("graph", "edges"),
    [
        ("fusion", "route-fan_out fan_out-panelist panelist-judge judge-fan_out judge-synthesize synthesize-ground ground-__end__"),
        ("panelist", "route-panelist panelist-audit audit-__end__"),
    ],
)
async def test_studio_draws_the_graph(client, graph, edges):
    (assistant,) = await client.assistants.search(graph_id=graph, metadata={"created_by": "system"})
    drawn = await client.assistants.get_graph(assistant["assistant_id"])
    lines = {f"{edge['source']}-{edge['target']}" for edge in drawn["edges"]}
    assert lines == {"__start__-route", *edges.split()}


def test_the_projects_folder_stays_clean(served):
    assert served
    assert not (ROOT / ".langgraph_api").exists()
