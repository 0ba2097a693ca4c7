"""`langgraph dev` serves the graphs, as Studio and the SDK see them: offline, without any key.

Blocking calls in asynchronous code raise there, so that every run here also shows that none is made.
"""

import ast
import importlib.util
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from fusion_tool.models import facts
from fusion_tool.servers.overrides import OPERATOR_ONLY, OVERRIDABLE
from fusion_tool.tools.sandbox.shell import probe
from tests.integration.dev_server import ROOT, dev_server, free_ports, run
from tests.integration.mcp_connections import connected
from tests.integration.panel import kinds
from tests.integration.trials import remember_trials
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


CONFIGURED = """
health = false
documents = "library"
panel = [{{model = "one", base_url = "{provider}"}}, {{model = "two", base_url = "{provider}"}}]
judge = {{model = "judge", base_url = "{provider}"}}
limits = {{usd = 1, seconds = 60}}
allow_unpriced = true
search = {{providers = ["searxng"]}}
fetch = {{allowed_private_hosts = ["127.0.0.1:{web}"]}}
"""


@pytest.fixture(scope="module")
def internet() -> Iterator[WebServer]:
    """The web and the search engine that the server's environment names."""
    with WebServer() as web:
        yield web


@pytest.fixture(scope="module")
def ports() -> list[int]:
    """Agent Server's, and that of the provider which its operator set up."""
    return free_ports(2)


@pytest.fixture(scope="module")
def configured(internet: WebServer, ports: list[int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's file, in the configuration folder; the one in the working folder sends the key elsewhere."""
    home = tmp_path_factory.mktemp("agent-server")
    (home / "fusion.toml").write_text('panel = [{model = "thief", base_url = "http://127.0.0.1:9/v1"}]\n')
    folder = home / ".config" / "fusion-tool"
    (folder / "library").mkdir(parents=True)
    (folder / "library" / "moon.md").write_text("The press says that the Moon weighs 73 quintillion tonnes.\n")
    file = folder / "fusion.toml"
    url = f"http://127.0.0.1:{ports[1]}/v1"
    file.write_text(CONFIGURED.format(provider=url, web=internet.port))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "data_path", (home / ".local" / "share" / "fusion-tool").joinpath)
        remember_trials(url, "one", "two", "three", "judge", "writer", "another")
    return file


@pytest.fixture(scope="module")
def served(configured: Path, internet: WebServer, ports: list[int]) -> Iterator[str]:
    with dev_server(configured.parents[2], ports[0], SEARXNG_URL=internet.root) as address:
        yield address


@pytest.fixture
def edit(configured: Path) -> Iterator[Callable[[str, str], object]]:
    """Replaces a text in the operator's file until the test ends."""
    before = configured.read_text()
    yield lambda old, new: configured.write_text(configured.read_text().replace(old, new))
    configured.write_text(before)


@pytest.fixture
async def client(served: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=served, api_key=None) as client:
        yield client


@pytest.fixture
def scripted(ports: list[int]) -> Iterator[ScriptedServer]:
    """A fresh provider at the address that the server's operator set up: each seat looks, the judge compares."""
    with ScriptedServer(port=ports[1]) as server:
        server.reply("judge", json.dumps(ANALYSIS), "Both say so.")
        server.otherwise(lambda request: f"{request.model} says: {asked(request)}" if has_looked(request) else LOOK)
        yield server


LOOK = Reply(tool_calls=[ToolCall("search_documents", {"query": "weighs"})])


def has_looked(request: Request) -> bool:
    """Whether a seat has used its tools, or has none to use."""
    return bool(request.tool_results) or not request.tools


def asked(request: Request) -> str:
    """Which of the two questions a prompt is about; both, where runs are mixed."""
    return " and ".join(question for question in (MARS, MOON) if question in request.prompt)


@pytest.mark.usefixtures("scripted")
async def test_a_run_streams_its_progress_and_ends_with_the_result(client):
    streamed = await run(client, "fusion", {"question": MOON})
    result = streamed.result
    assert (result.answer, result.question) == ("Both say so.", MOON)
    assert (result.status, result.degraded) == ("partial", ["uncited"])
    assert [response.content for response in result.responses] == [f"one says: {MOON}", f"two says: {MOON}"]
    assert result.analysis is not None
    assert result.analysis.consensus == ANALYSIS["consensus"]
    assert streamed.nodes == ["route", "fan_out", "panelist", "panelist", "judge", "synthesize", "ground"]
    order = kinds(streamed.events)
    assert order[:3] == ["run.started", "plan.chosen", "wave.started"]
    assert sorted(order[3:9]) == ["panelist.answered"] * 2 + ["panelist.started"] * 2 + ["panelist.tool"] * 2
    assert order[9:11] == ["panel.closed", "judge.completed"]
    assert "".join(e["text"] for e in streamed.events if e["type"] == "synthesis.delta") == result.answer
    assert streamed.events[-1]["result"] == streamed.state["result"]
    assert {event["run_id"] for event in streamed.events} == {result.run_id}


@pytest.mark.usefixtures("scripted")
async def test_in_the_chat_the_answer_is_a_message(client):
    streamed = await run(client, "fusion", {"messages": [{"role": "user", "content": MOON}]})
    said = [(message["type"], message["content"]) for message in streamed.state["messages"]]
    assert said == [("human", MOON), ("ai", "Both say so.")]


def cited(request: Request) -> str:
    """An answer that cites the document that a seat has found, or that a seat's answer cites."""
    found = re.search(r"\b[0-9a-f]{8}\b", request.prompt)
    return CITED.replace("[1]", f"[{found[0]}]") if found else "It is heavy."


@pytest.fixture
def citing(scripted: ScriptedServer) -> ScriptedServer:
    """The provider, whose seats and synthesizer cite."""
    scripted.otherwise(lambda request: cited(request) if has_looked(request) else LOOK)
    scripted.reply("judge", json.dumps(ANALYSIS), cited)
    return scripted


# Longer than what is held back of an answer on a server of the user's own, to see whether it is spoiled.
CITED = (
    "The Moon weighs 73 quintillion tonnes [1]. Nobody has put it on a pair of scales: what is known of it comes from "
    "the paths of satellites that went around it, year after year, and from the tides that it draws through the seas."
)
TAIL = "\n\nSources\n[1] moon.md - doc:library/moon.md"


@pytest.mark.usefixtures("citing")
@pytest.mark.parametrize("subgraphs", [False, True])
async def test_in_the_chat_the_answer_is_shown_once_while_it_is_written(client, subgraphs):
    asked = {"messages": [{"role": "user", "content": MOON}]}
    pieces: list[Any] = []
    state: dict[str, Any] = {}
    modes = ["messages-tuple", "values"]
    options = {"stream_mode": modes, "stream_subgraphs": subgraphs}
    async for part in client.runs.stream(None, "fusion", input=asked, **options):
        if part.event.startswith("messages"):
            pieces.append(part.data[0])
        elif part.event == "values":
            state = part.data
    assert {piece["type"] for piece in pieces} == {"AIMessageChunk"}
    assert {piece["id"] for piece in pieces} == {state["messages"][-1]["id"]}
    assert "".join(piece["content"] for piece in pieces) == state["messages"][-1]["content"] == CITED
    assert len(pieces) > 2
    (citation,) = pieces[-1]["response_metadata"]["citations"]
    assert (citation["start_index"], citation["end_index"]) == (CITED.index("["), CITED.index("]") + 1)
    assert state["messages"][-1]["response_metadata"]["citations"] == [citation]


@pytest.mark.usefixtures("citing")
@pytest.mark.parametrize("listed", [False, True])
async def test_over_a2a_the_sources_are_in_the_text_where_they_are_wanted(client, served, listed):
    assistant = await client.assistants.create("fusion", context={"list_sources": listed})
    message = {"role": "user", "messageId": "m", "parts": [{"kind": "text", "text": MOON}]}
    call = {"jsonrpc": "2.0", "id": "1", "method": "message/send", "params": {"message": message}}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        reply = (await http.post(f"{served}/a2a/{assistant['assistant_id']}", json=call)).json()
    (artifact,) = reply["result"]["artifacts"]
    text = "".join(part["text"] for part in artifact["parts"])
    assert text == (CITED + TAIL if listed else CITED)


async def test_a_second_question_on_a_thread_is_answered_by_itself(client, scripted):
    thread = (await client.threads.create())["thread_id"]
    first = await run(client, "fusion", {"question": MARS, "context": "The red one."}, thread=thread)
    before = len(scripted.requests)
    scripted.reply("judge", json.dumps(ANALYSIS), "Another answer.")
    second = await run(client, "fusion", {"question": MOON}, thread=thread)
    assert (first.result.question, second.result.question) == (MARS, MOON)
    assert second.result.answer == "Another answer."
    assert [response.content for response in second.result.responses] == [f"one says: {MOON}", f"two says: {MOON}"]
    assert len(second.result.usage.calls) == len(first.result.usage.calls) == 6
    later = [request.prompt for request in scripted.requests[before:]]
    assert not [prompt for prompt in later if MARS in prompt or "The red one." in prompt]


async def test_a_model_of_ones_own_has_its_trial_there_once(client, scripted, edit):
    edit('model = "one"', 'model = "newcomer"')
    scripted.on(lambda request: request.body.get("temperature") == 0 and not request.tools, TRIAL_ANSWER)
    for question in (MARS, MOON):
        streamed = await run(client, "fusion", {"question": question})
        assert [response.content for response in streamed.result.responses] == [
            f"{model} says: {question}" for model in ("newcomer", "two")
        ]
        trials = [event for event in streamed.events if event["type"] == "trial.completed"]
        assert [(event["path"], event["failure"]) for event in trials] == [("tools", None)] * (question == MARS)


TRIAL_ANSWER = "The Alder mill was built in 1861 [b07d55e1]."


async def test_every_tool_works_where_blocking_calls_raise(client, scripted, internet):
    internet.page("/moon", f"<title>The Moon</title><p>{'The Moon weighs 73 quintillion tonnes. ' * 9}</p>")
    internet.hits(Hit(internet.url("/moon"), "The Moon", "It weighs 73 quintillion tonnes."))
    wanted = [
        ToolCall("web_search", {"query": "Moon mass"}),
        ToolCall("fetch_page", {"url": internet.url("/moon")}),
        ToolCall("search_documents", {"query": "Moon weighs"}),
        ToolCall("bash", {"command": "echo 73"}),
    ]
    scripted.reply("one", lambda request: next_call(request, wanted))
    streamed = await run(client, "panelist", {"question": MOON})
    record = streamed.record
    retrieved = ["result", "page", "document", *(["command"] if (await probe()).works else [])]
    assert record["failures"] == []
    assert [source["kind"] for source in record["found"]] == retrieved


def next_call(request: Request, wanted: list[ToolCall]) -> Reply | str:
    """The next of the wanted calls whose tool is offered, then what they brought."""
    offered = [call for call in wanted if call.name in request.tools]
    done = len(request.tool_results)
    return Reply(tool_calls=[offered[done]]) if done < len(offered) else "\n".join(request.tool_results)


@pytest.mark.usefixtures("scripted")
async def test_a_seat_alone_shows_its_whole_record(client):
    streamed = await run(client, "panelist", {"question": MOON})
    record = streamed.record
    assert streamed.nodes == ["route", "panelist", "audit"]
    assert (record["seat"], record["answered"], record["content"]) == ("one", True, f"one says: {MOON}")
    assert [call["model"] for call in record["calls"]] == ["one", "one"]
    assert streamed.state["audit"] == {"supported": 0, "weak": 0, "mismatch": 0, "unknown": 0}


async def test_a_seat_that_fails_alone_is_a_record_with_the_reason(client, scripted):
    scripted.reply("one", faults.unauthorized())
    streamed = await run(client, "panelist", {"question": MOON})
    assert not streamed.record["answered"]
    assert [failure["reason"] for failure in streamed.record["failures"]] == ["auth"]


async def test_a_failed_panel_says_why(client, scripted):
    scripted.otherwise(faults.unauthorized())
    streamed = await run(client, "fusion", {"question": MOON})
    assert streamed.complaint.startswith("PanelFailed: no usable answer from the panel (one auth: ")


async def system_assistant(client: LangGraphClient, graph: str) -> str:
    """The assistant that is there without anybody having made one."""
    (assistant,) = await client.assistants.search(graph_id=graph, metadata={"created_by": "system"})
    return assistant["assistant_id"]


@pytest.mark.parametrize(("graph", "returned"), [("fusion", {"result", "messages"}), ("panelist", {"record", "audit"})])
async def test_studio_gets_every_schema(client, graph, returned):
    schemas = await client.assistants.get_schemas(await system_assistant(client, graph))
    given, context = schemas["input_schema"], schemas["context_schema"]
    assert set(given["properties"]) == {
        *("question", "context", "instructions", "answer_schema", "max_tokens", "messages", "earlier")
    }
    assert given["properties"]["question"]["type"] == "string"
    assert set(schemas["output_schema"]["properties"]) == returned
    assert schemas["state_schema"]
    assert set(context["properties"]) == set(OVERRIDABLE)
    assert not OPERATOR_ONLY & set(context["properties"])
    assert {"$ref": "#/$defs/LimitOverrides"} in context["properties"]["limits"]["anyOf"]
    assert "local" in context["properties"]["preset"]["anyOf"][0]["enum"]
    assert all(one["default"] is None for one in context["properties"].values())


@pytest.mark.usefixtures("scripted")
async def test_a_client_chooses_within_what_the_operator_set_up(client):
    wished = {"models": ["two"], "strategy": "solo", "limits": {"seconds": 9}, "excluded_domains": ["a.example"]}
    streamed = await run(client, "fusion", {"question": MOON}, wished)
    assert [response.seat for response in streamed.result.responses] == ["two"]
    assert streamed.result.plan.strategy == "solo"


MAY_SET = f"a caller may set {', '.join(OVERRIDABLE)}"
REFUSED = {
    **dict.fromkeys(
        ["base_url", "api_key_env", "documents", "bash", "fetch", "search", "panel"],
        "only the operator of this server may set it",
    ),
    "modles": f"no such setting (did you mean 'models'?); {MAY_SET}",
    "Strategy": f"no such setting (did you mean 'strategy'?); {MAY_SET}",
    "model": f"no such setting (did you mean 'models'?); {MAY_SET}",
    "colour": f"no such setting; {MAY_SET}",
}


@pytest.mark.parametrize("given", ["context", "config"])
@pytest.mark.parametrize("name", REFUSED)
async def test_what_nobody_but_the_operator_may_set_is_refused_before_anything_runs(client, scripted, given, name):
    wished = {name: "anything"}
    setting = {given: wished if given == "context" else {"configurable": wished}}
    thread = (await client.threads.create())["thread_id"]
    assistant = (await client.assistants.create("fusion"))["assistant_id"]
    asked, yearly = {"input": {"question": MOON}, **setting}, {"schedule": "0 0 1 1 *", **setting}
    cron = (await client.crons.create("fusion", schedule="0 0 1 1 *", input={"question": MOON}))["cron_id"]
    for ask in (
        partial(client.runs.wait, None, "fusion", **asked),
        partial(client.runs.create, thread, assistant, **asked),
        partial(client.runs.create_batch, [{"assistant_id": "fusion", **asked}]),
        lambda: anext(client.runs.stream(thread, "fusion", **asked)),
        lambda: anext(client.runs.stream(None, assistant, **asked)),
        partial(client.assistants.create, "fusion", **setting),
        partial(client.assistants.update, assistant, **setting),
        partial(client.crons.create, "fusion", **yearly),
        partial(client.crons.create_for_thread, thread, assistant, **yearly),
        partial(client.crons.update, cron, **setting),
    ):
        with pytest.raises(httpx.HTTPStatusError) as refused:
            await ask()
        response = refused.value.response
        assert (response.status_code, response.json()["detail"]) == (400, f"{name}: {REFUSED[name]}")
    assert not scripted.requests


async def test_each_graph_takes_what_its_own_form_has(client, scripted):
    with pytest.raises(httpx.HTTPStatusError) as refused:
        await client.runs.wait(None, "research_agent", input={"messages": []}, context={"strategy": "solo"})
    assert refused.value.response.json()["detail"] == "strategy: no such setting; a caller may set model"
    assert not scripted.requests


async def test_what_the_server_itself_keeps_beside_a_context_is_no_setting(client, scripted):
    own = {"thread_id": "7", "checkpoint_ns": "", "user_id": "me", "__mine": 1, "strategy": "solo"}
    state = await client.runs.wait(None, "fusion", input={"question": MOON}, config={"configurable": own})
    assert state["result"]["plan"]["strategy"] == "solo"
    assert scripted.counts["two"] == 0


async def test_the_next_run_sees_an_edited_file(client, scripted, edit):
    edit('"two"', '"three"')
    seats = await run(client, "fusion", {"question": MOON})
    assert [one.seat for one in seats.result.responses] == ["one", "three"]
    edit('"one"', '"four"')
    alone = await run(client, "panelist", {"question": MOON})
    assert alone.record["seat"] == "four"
    schemas = await client.assistants.get_schemas(await system_assistant(client, "research_agent"))
    assert schemas["context_schema"]["properties"]["model"]["enum"] == ["four", "judge", "three"]
    assert scripted.counts["two"] == 0


async def test_a_run_under_way_keeps_its_configuration(client, scripted, edit):
    def overtaken(request: Request) -> str:
        edit('"judge"', '"another"')
        return f"one says: {asked(request)}"

    scripted.reply("one", overtaken)
    streamed = await run(client, "fusion", {"question": MOON})
    assert streamed.result.answer == "Both say so."
    assert scripted.counts["another"] == 0


async def test_a_paused_run_goes_on_with_the_file_as_it_is_then(client, scripted, edit):
    thread = (await client.threads.create())["thread_id"]
    await run(client, "fusion", {"question": MOON}, thread=thread, interrupt_before=["judge"])
    edit('"judge"', '"another"')
    scripted.reply("another", json.dumps(ANALYSIS), "Another wrote it.")
    finished = await run(client, "fusion", None, thread=thread)
    assert finished.result.answer == "Another wrote it."
    assert scripted.counts == {"one": 2, "two": 2, "another": 2}


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("health", "ConfigError: haelth: no such setting (did you mean 'health'?) (in fusion.toml)"),
        ("panel = [", "ConfigError: config: fusion.toml is not valid TOML: "),
    ],
)
async def test_a_broken_edit_is_the_error_of_the_runs_that_begin_with_it(client, scripted, edit, broken, complaint):
    thread = (await client.threads.create())["thread_id"]
    await run(client, "fusion", {"question": MOON}, thread=thread)
    before = len(scripted.requests)
    edit(broken, {"health": "haelth", "panel = [": "panel = ]"}[broken])
    for graph, given in (
        ("fusion", {"question": MOON}),
        ("panelist", {"question": MOON}),
        ("research_agent", {"messages": []}),
    ):
        streamed = await run(client, graph, given)
        assert streamed.complaint.startswith(complaint)
        assert "\n" not in streamed.complaint
        assert (await client.assistants.get_graph(await system_assistant(client, graph)))["nodes"]
    assert (await client.threads.get_state(thread))["values"]["result"]["answer"] == "Both say so."
    assert len(scripted.requests) == before


async def test_a_file_that_has_gone_is_the_error_of_the_runs_that_begin_without_it(client, scripted, configured):
    kept = configured.rename(configured.with_name("kept.toml"))
    try:
        streamed = await run(client, "fusion", {"question": MOON})
    finally:
        kept.rename(configured)
    assert streamed.complaint.startswith("ConfigError: config: fusion.toml has gone; put it back")
    assert not scripted.requests
    assert (await run(client, "fusion", {"question": MOON})).result.answer == "Both say so."


@pytest.mark.parametrize(
    ("wished", "complaint"),
    [
        ({"models": ["gpt-5.5"]}, "models.0: 'gpt-5.5' is not offered here; there are one, two, judge"),
        ({"models": [{"model": "one", "base_url": "http://a.example"}]}, "models: expected a list of strings"),
        ({"judge": {"model": "one", "api_key_env": "HOME"}}, "judge: expected a text, not a table"),
        ({"limits": {"usd": 2}}, "limits.usd: at most 1 is allowed here"),
        ({"limits": {"secnds": 1}}, "limits.secnds: no such setting (did you mean 'seconds'?)"),
        ({"preset": "ollama"}, "preset: 'ollama' is not offered here"),
    ],
)
async def test_a_wish_beyond_that_is_the_runs_error_in_one_line(client, scripted, wished, complaint):
    streamed = await run(client, "fusion", {"question": MOON}, wished)
    assert streamed.complaint.startswith(f"ConfigError: {complaint}")
    assert "\n" not in streamed.complaint
    assert not scripted.requests


async def test_a_preset_can_be_chosen_without_the_operators_file_being_touched(client, scripted):
    streamed = await run(client, "fusion", {"question": MOON}, {"preset": "budget"})
    assert streamed.complaint.startswith("ConfigError: panel.0.model: ")
    assert "needs a key: set OPENROUTER_API_KEY" in streamed.complaint
    assert not scripted.requests


async def test_an_edited_seat_is_what_the_judge_and_the_result_see(client, scripted):
    thread = (await client.threads.create())["thread_id"]
    paused = await run(client, "fusion", {"question": MOON}, thread=thread, interrupt_before=["judge"])
    assert paused.nodes[-1] == "__interrupt__"
    assert scripted.counts == {"one": 2, "two": 2}
    state = await client.threads.get_state(thread)
    assert state["next"] == ["judge"]
    edited = next(record for record in state["values"]["records"] if record["seat"] == "one")
    edited["content"] = "It weighs what I say."
    await client.threads.update_state(thread, {"records": [edited]}, as_node="panelist")
    finished = await run(client, "fusion", None, thread=thread)
    (hearing, _) = scripted.calls("judge")
    assert "It weighs what I say." in hearing.prompt
    assert f"one says: {MOON}" not in hearing.prompt
    assert [one.content for one in finished.result.responses] == ["It weighs what I say.", f"two says: {MOON}"]
    assert scripted.counts == {"one": 2, "two": 2, "judge": 2}


async def test_a_finished_run_is_written_anew_by_another_synthesizer_alone(client, scripted):
    thread = (await client.threads.create())["thread_id"]
    first = await run(client, "fusion", {"question": MOON}, thread=thread)
    history = await client.threads.get_history(thread)
    before = next(one for one in history if one["next"] == ["synthesize"])
    scripted.reply("two", "Written anew.")
    forked = await run(
        client, "fusion", None, {"synthesizer": "two"}, thread, checkpoint_id=before["checkpoint"]["checkpoint_id"]
    )
    assert forked.nodes == ["synthesize", "ground"]
    assert (first.result.answer, forked.result.answer) == ("Both say so.", "Written anew.")
    assert forked.result.responses == first.result.responses
    assert forked.result.analysis == first.result.analysis
    assert scripted.counts == {"one": 2, "two": 3, "judge": 2}
    assert [call.stage for call in forked.result.usage.calls] == [call.stage for call in first.result.usage.calls]


SEATS, JUDGE, SYNTHESIZER = {"one": 2, "two": 2}, {"judge": 1}, {"writer": 1}


FORKS = {
    "fan_out": (SEATS | JUDGE | SYNTHESIZER, "the seats, the judge, the synthesizer"),
    "judge": (JUDGE | SYNTHESIZER, "the judge, the synthesizer"),
    "synthesize": (SYNTHESIZER, "the synthesizer"),
    "ground": ({}, "nobody; with `verify` the second reader"),
}


@pytest.mark.parametrize("step", FORKS)
async def test_a_fork_pays_for_what_comes_after_it_alone(client, scripted, edit, step):
    asked_anew, in_words = FORKS[step]
    edit("judge = ", f'synthesizer = {{model = "writer", base_url = "{scripted.url}"}}\njudge = ')
    scripted.reply("judge", json.dumps(ANALYSIS))
    thread = (await client.threads.create())["thread_id"]
    first = await run(client, "fusion", {"question": MOON}, thread=thread)
    before = scripted.counts
    history = await client.threads.get_history(thread)
    place = next(one for one in history if one["next"] == [step])["checkpoint"]["checkpoint_id"]
    forked = await run(client, "fusion", None, thread=thread, checkpoint_id=place)
    assert scripted.counts - before == asked_anew
    assert len(forked.result.usage.calls) == len(first.result.usage.calls)
    assert f"| fork at `{step}` | {in_words} |" in (ROOT / "docs" / "studio.md").read_text("utf-8")


async def test_the_pages_way_of_editing_and_forking_works(served, scripted, capsys):
    page = (ROOT / "docs" / "studio.md").read_text("utf-8")
    edit, fork = re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    scripted.reply("two", LOOK, "It is heavy.", "Written anew.")
    names: dict[str, object] = {}
    for block in (edit, fork):
        text = block.replace("http://127.0.0.1:2024", served).replace("gemma3", "two")
        await eval(compile(text, "studio.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)  # noqa: S307 - our own page
    assert capsys.readouterr().out == "Both say so.\nWritten anew.\n"
    assert "It weighs 7.35e22 kg." in scripted.calls("judge")[0].prompt
    assert scripted.counts == {"one": 2, "two": 3, "judge": 2}


@pytest.mark.usefixtures("scripted")
@pytest.mark.parametrize("part", ["config", "decided"])
async def test_an_edited_checkpoint_reaches_no_other_address(client, part):
    thread = (await client.threads.create())["thread_id"]
    await run(client, "fusion", {"question": MOON}, thread=thread, interrupt_before=["judge"])
    started = (await client.threads.get_state(thread))["values"]["run"]
    with ScriptedServer() as elsewhere:
        edited = {**started["config"], "judge": seat(elsewhere, "judge"), "synthesizer": seat(elsewhere, "judge")}
        await client.threads.update_state(thread, {"run": {**started, part: edited}}, as_node="panelist")
        finished = await run(client, "fusion", None, thread=thread)
    assert not elsewhere.requests
    assert finished.error is None or finished.complaint.startswith("ConfigError: ")


@pytest.mark.parametrize(
    ("part", "complaint"),
    [
        ({"asks": [{"seat": 0, "point": "", "shown": ""}] * 40}, "ConfigError: asks: expected each seat"),
        ({"plan": {"strategy": "panel", "waves": [[0, 1]] * 9}}, "ConfigError: plan.waves: expected each seat"),
    ],
    ids=["asks", "plan"],
)
async def test_an_edited_checkpoint_asks_no_more_seats(client, scripted, part, complaint):
    thread = (await client.threads.create())["thread_id"]
    await run(client, "fusion", {"question": MOON}, thread=thread, interrupt_before=["fan_out"])
    state = (await client.threads.get_state(thread))["values"]
    edited = {name: {**state[name], **value} if isinstance(value, dict) else value for name, value in part.items()}
    await client.threads.update_state(thread, edited, as_node="route")
    finished = await run(client, "fusion", None, thread=thread)
    assert finished.complaint.startswith(complaint)
    assert not scripted.requests


def seat(server: ScriptedServer, model: str) -> dict[str, str]:
    return {"model": model, "base_url": server.url, "api_key_env": "HOME"}


async def test_the_agent_hands_research_over_and_answers(client, scripted):
    call = Reply(tool_calls=[ToolCall("fusion_research", {"question": MOON})])
    scripted.reply("judge", call, json.dumps(ANALYSIS), "Both say so.", "It is heavy.")
    streamed = await run(client, "research_agent", {"messages": [{"role": "user", "content": "How heavy is it?"}]})
    said = [(message["type"], message["content"]) for message in streamed.state["messages"]]
    assert [kind for kind, _ in said] == ["human", "ai", "tool", "ai"]
    assert said[2][1].startswith("Both say so.\n\n(id ")
    assert said[3][1] == "It is heavy."
    assert streamed.state["messages"][2]["artifact"]["question"] == MOON


@pytest.mark.parametrize("subgraphs", [False, True])
async def test_the_agents_chat_holds_its_own_words_alone(client, scripted, subgraphs):
    call = Reply(tool_calls=[ToolCall("fusion_research", {"question": MOON})])
    scripted.reply("judge", call, json.dumps(ANALYSIS), "Both say so.", "It is heavy.")
    hello = {"messages": [{"role": "user", "content": "How heavy is it?"}]}
    options = {"stream_mode": ["messages-tuple"], "stream_subgraphs": subgraphs}
    parts = [part async for part in client.runs.stream(None, "research_agent", input=hello, **options)]
    messages = [part.data[0] for part in parts if part.event.startswith("messages")]
    assert "".join(said["content"] for said in messages if said["type"].startswith("AI")) == "It is heavy."
    assert [said["name"] for said in messages if said["type"] == "tool"] == ["fusion_research"]


async def test_the_agents_own_model_is_one_of_the_operators(client, scripted):
    schemas = await client.assistants.get_schemas(await system_assistant(client, "research_agent"))
    model = schemas["context_schema"]["properties"]["model"]
    assert (model["default"], model["enum"]) == ("judge", ["judge", "one", "two"])
    assert set(schemas["output_schema"]["properties"]) >= {"messages"}
    hello = {"messages": [{"role": "user", "content": "Hello."}]}
    scripted.reply("two", "Good day.")
    streamed = await run(client, "research_agent", hello, {"model": "two"})
    assert streamed.state["messages"][-1]["content"] == "Good day."
    refused = await run(client, "research_agent", hello, {"model": "openai:gpt-5.5"})
    assert refused.complaint == "ConfigError: model: 'openai:gpt-5.5' is not offered here; there are judge, one, two"


async def test_the_servers_own_mcp_offers_the_panel(served, scripted):
    async with connected(f"{served}/mcp") as session:
        tools = {tool["name"]: tool for tool in await session.tools()}
        answered = await session.call({"question": MOON, "context": "The one above us."}, "fusion")
        refused = await session.call({"question": ""}, "fusion")
    assert {"fusion", "panelist", "research_agent"} <= set(tools)
    assert tools["fusion"]["description"].startswith("Research a question in depth")
    given = tools["fusion"]["inputSchema"]
    assert (given["type"], "$defs" in given) == ("object", False)
    assert given["properties"]["question"]["type"] == given["properties"]["context"]["type"] == "string"
    assert "Both say so." in answered["content"][0]["text"]
    assert "The one above us." in scripted.calls("one")[0].prompt
    assert refused["isError"]


@pytest.mark.parametrize(
    ("graph", "edges"),
    [
        ("fusion", "route-fan_out fan_out-panelist panelist-judge judge-fan_out judge-synthesize synthesize-ground"),
        ("panelist", "route-panelist panelist-audit audit-__end__"),
        ("research_agent", "model-tools tools-model model-__end__"),
    ],
)
async def test_studio_draws_the_graph(client, graph, edges):
    drawn = await client.assistants.get_graph(await system_assistant(client, graph))
    lines = {f"{edge['source']}-{edge['target']}" for edge in drawn["edges"]}
    assert lines >= set(edges.split())


def test_the_projects_folder_stays_clean(served):
    assert served
    assert not (ROOT / ".langgraph_api").exists()
