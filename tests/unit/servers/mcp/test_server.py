"""The MCP server as the protocol's own client sees it, without a transport."""

import asyncio
import json

import pytest

from fusion_tool import FusionResult, FusionTool, Limits
from fusion_tool.servers.mcp.resources import ResultResources, SessionResults
from fusion_tool.servers.mcp.tool import DEPTH
from fusion_tool.servers.overrides import OPERATOR_ONLY
from fusion_tool.testing import ScriptedChat, fake_config
from tests.mcp_client import TOOL, ProtocolError, connected, new_server, text

ASKED = {"question": "How old is the mill?"}


def client_of(config=None, **options):
    return connected(new_server(config or fake_config(answer="It is old."), **options))


async def test_one_tool_with_few_described_arguments_and_the_results_schema():
    async with client_of() as client:
        (tool,) = await client.tools()
    assert tool["name"] == TOOL
    assert tool["description"].startswith("Research a question in depth")
    given = tool["inputSchema"]
    assert set(given["properties"]) == {
        "question",
        "context",
        "continues",
        "instructions",
        "strategy",
        "max_usd",
        "max_seconds",
        "excluded_domains",
    }
    assert (given["required"], given["additionalProperties"]) == (["question"], False)
    assert all(one["description"] for one in given["properties"].values())
    assert tool["outputSchema"] == FusionResult.model_json_schema(mode="serialization")


def types_of(schema):
    """Every `type` in a schema's properties, and every word that is not plain."""
    for field in schema["properties"].values():
        yield from {"anyOf", "oneOf", "$ref"} & field.keys()
        yield field.get("type")


@pytest.mark.parametrize("answer_within", [None, 45.0])
async def test_optional_arguments_are_plain_types_that_may_be_left_out(answer_within):
    async with client_of(answer_within=answer_within) as client:
        (tool,) = await client.tools()
    for schema in (tool["inputSchema"], FusionTool(fake_config()).tool_call_schema.model_json_schema()):
        assert set(types_of(schema)) <= {"string", "number", "array"}
        assert None not in [field.get("default", "") for field in schema["properties"].values()]


async def test_the_answer_comes_as_short_text_and_as_the_whole_result():
    async with client_of() as client:
        result = await client.call(ASKED)
    assert not result["isError"]
    assert text(result).startswith("It is old.\n\n(id ")
    whole = FusionResult.model_validate(result["structuredContent"])
    assert (whole.answer, whole.question) == ("It is old.", ASKED["question"])


async def test_the_text_keeps_within_its_bound():
    async with client_of(fake_config(answer="Very old. " * 4000, summary_tokens=100)) as client:
        result = await client.call(ASKED)
    assert len(text(result)) <= 400
    assert len(result["structuredContent"]["answer"]) > 30_000


async def test_text_alone_where_a_client_would_show_its_model_the_json():
    async with client_of(is_structured=False) as client:
        (tool,) = await client.tools()
        result = await client.call(ASKED)
    assert tool["outputSchema"] is None
    assert result["structuredContent"] is None
    assert text(result).startswith("It is old.")


async def test_progress_grows_and_tells_what_is_done():
    told = []

    async def progress(step, total, line):
        told.append((step, total, line))

    async with client_of() as client:
        await client.call(ASKED, progress_callback=progress)
    steps, totals, lines = zip(*told, strict=True)
    assert list(steps) == sorted(set(steps))
    assert set(totals) == {None}
    assert "scripted-1: asked" in lines
    assert lines[-1] == "the answer is being written (scripted-synthesizer)"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, "question: is missing; say what to find out"),
        ({"question": "  "}, "question: is empty; ask something"),
        ({"question": 7}, "question: must be a text"),
        ({"question": "x" * 100_001}, "question: has 100,001 characters, at most 100,000 are taken"),
        ({**ASKED, "strategy": "vote"}, "strategy: must be one of panel, solo, cascade, chain, auto"),
        ({**ASKED, "max_usd": 0}, "max_usd: must be a number above 0"),
        ({**ASKED, "max_usd": "much"}, "max_usd: must be a number above 0"),
        ({**ASKED, "max_seconds": [9]}, "max_seconds: must be a number above 0"),
        ({**ASKED, "context": {}}, "context: must be a text"),
        ({**ASKED, "run_id": "0"}, "run_id: no such argument"),
        ({**ASKED, "max_seconds": 999}, "max_seconds: at most 180 is allowed here"),
        ({**ASKED, "max_usd": 2}, "max_usd: at most 1 is allowed here"),
        ({**ASKED, "excluded_domains": "a.example"}, "excluded_domains: must be a list of texts"),
        ({**ASKED, "excluded_domains": [7]}, "excluded_domains: must be a list of texts"),
        (
            {**ASKED, "querstion": "typo"},
            "querstion: no such argument (did you mean 'question'?); there are question, context",
        ),
        ({**ASKED, "base_url": "http://evil.example"}, "base_url: only the operator of this server may set it"),
    ],
)
async def test_bad_arguments_get_one_line(arguments, complaint):
    config = fake_config(limits=Limits(usd=1), allow_unpriced=True)
    async with client_of(config) as client:
        result = await client.call(arguments)
    assert result["isError"]
    assert text(result).startswith(complaint)
    assert "\n" not in text(result)


@pytest.mark.parametrize("name", sorted(OPERATOR_ONLY - {"strategy", "excluded_domains", "instructions"}))
async def test_what_is_the_operators_is_refused(name):
    async with client_of() as client:
        result = await client.call({**ASKED, name: None})
    assert text(result) == f"{name}: only the operator of this server may set it"


async def test_null_is_as_good_as_nothing():
    nothing = dict.fromkeys(
        ("context", "continues", "instructions", "strategy", "max_usd", "max_seconds", "excluded_domains")
    )
    async with client_of() as client:
        assert not (await client.call(ASKED | nothing))["isError"]


async def test_what_is_asked_reaches_the_run():
    seats = [ScriptedChat(replies=["Old."], model_name=name) for name in ("one", "two")]
    config = fake_config(panel=tuple({"model": seat} for seat in seats))
    async with client_of(config) as client:
        asked = {**ASKED, "context": "It burned down once.", "strategy": "solo", "max_seconds": 9}
        result = await client.call(asked)
    assert result["structuredContent"]["plan"]["strategy"] == "solo"
    assert "It burned down once." in str(seats[0].prompts)
    assert not seats[1].prompts


@pytest.mark.parametrize("answer_within", [None, 45.0])
async def test_a_call_goes_on_from_an_earlier_answer_of_its_session_or_of_its_caller(answer_within):
    seat, writer = ScriptedChat(replies=["Old.", "Older."]), ScriptedChat(replies=["Noch älter."])
    config = fake_config(panel=({"model": seat},), synthesizer={"model": writer}, strategy="solo")
    server = new_server(config, answer_within=answer_within)
    async with connected(server) as client:
        first = (await client.call(ASKED))["structuredContent"]
        wish = {"question": "And the barn?", "continues": first["run_id"], "instructions": "Answer in German."}
        second = (await client.call(wish))["structuredContent"]
        unknown = await client.call({**wish, "continues": "0" * 32})
    assert second["continues"] == first["run_id"]
    assert "Old." in str(seat.prompts[1])
    assert "Answer in German." in str(writer.prompts)
    assert unknown["isError"]
    assert text(unknown).startswith("continues: no ")


async def test_a_failed_panel_says_why_and_shows_no_traceback():
    config = fake_config(RuntimeError("no bulb"), RuntimeError("no bulb"))
    async with client_of(config) as client:
        result = await client.call(ASKED)
    assert result["isError"]
    assert text(result).startswith("no usable answer from the panel (scripted-1 upstream_error:")
    assert "Traceback" not in text(result)


async def test_no_other_tool_is_there():
    async with client_of() as client:
        result = await client.call({"command": "ls"}, "bash")
    assert (result["isError"], text(result)) == (True, "no tool 'bash'; there is fusion_research")


@pytest.mark.parametrize(("depth", "refused"), [(0, False), (1, True), (2, True), ("1", True), ("deep", True)])
async def test_a_fusion_inside_a_fusion_is_refused(depth, refused):
    async with client_of() as client:
        result = await client.call(ASKED, meta={DEPTH: depth})
    assert result["isError"] is refused
    if refused:
        assert text(result).startswith("a fusion was started by a panelist of another fusion")


async def test_more_calls_than_places_are_told_to_come_back():
    begun, may_end = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedChat):
        async def _agenerate(self, *given, **named):
            begun.set()
            await may_end.wait()
            return await super()._agenerate(*given, **named)

    config = fake_config(panel=({"model": Slow(replies=["Old."])},), strategy="solo")
    async with client_of(config, max_runs=1) as client:
        first = asyncio.create_task(client.call(ASKED))
        await begun.wait()
        refused = await client.call(ASKED)
        may_end.set()
        assert not (await first)["isError"]
        assert not (await client.call(ASKED))["isError"]
    assert text(refused).startswith("all 1 places for runs are taken; ask again")


async def test_the_last_results_are_resources():
    async with client_of() as client:
        before = await client.resources()
        whole = (await client.call(ASKED))["structuredContent"]
        after = await client.resources()
        (template,) = await client.templates()
        uri = template["uriTemplate"].format(run_id=whole["run_id"])
        one = await client.read(uri)
        overview = await client.read("fusion://results")
    assert [one["uri"] for one in before] == ["fusion://results"]
    assert [one["uri"] for one in after[1:]] == [uri]
    assert after[1]["title"] == ASKED["question"]
    assert (one["mimeType"], json.loads(one["text"])) == ("application/json", whole)
    (row,) = json.loads(overview["text"])
    assert row == {name: whole[name] for name in ("run_id", "question", "status", "created_at")}


@pytest.mark.parametrize("uri", ["fusion://results/unknown", "fusion://other", "file:///etc/passwd"])
async def test_there_are_no_other_resources(uri):
    async with client_of() as client:
        with pytest.raises(ProtocolError, match="no result at") as refused:
            await client.read(uri)
    assert refused.value.error.code == -32002


def test_each_session_has_its_own_results_and_that_which_asked_longest_ago_goes_first():
    sessions = SessionResults(max_sessions=2)
    sessions.of("one").add({"run_id": "a", "question": "A?", "status": "ok", "created_at": "now"})
    assert [len(sessions.of(name).list_resources()) for name in ("one", "two", "one", "three")] == [2, 1, 2, 1]
    assert [len(sessions.of(name).list_resources()) for name in ("one", "four", "five", "one")] == [2, 1, 1, 1]


def test_old_results_make_room_for_new_ones():
    results = ResultResources(max_results=2)
    for name in ("a", "b", "c"):
        results.add({"run_id": name, "question": f"{name}?", "status": "ok", "created_at": "now"})
    assert [str(one.uri) for one in results.list_resources()] == [
        "fusion://results",
        "fusion://results/c",
        "fusion://results/b",
    ]
