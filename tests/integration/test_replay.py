"""What a model thought goes back to it with its tool calls, as it came, and to nobody else."""

import asyncio
import json
from pathlib import Path

import pytest

from fusion_tool import Panelist, afuse
from fusion_tool.api.stored_runs import list_runs
from fusion_tool.config.presets import preset
from tests.integration.breaking import cancelled
from tests.integration.panel import QUESTION, panel, reach, searches, text, verdict
from tests.scripted_server import Hang, Raw, Reply, ToolCall, faults
from tests.scripted_server.insistence import FIELDS
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback

SEAT, SPARE = "test/seat", "test/spare"
MILL = "The Alder mill was built in 1861."
ROWS = [json.loads(line) for line in (Path(__file__).parents[1] / "data/replay.jsonl").read_text("utf-8").splitlines()]
STREAMED = pytest.mark.parametrize("hedge", [None, 0.01], ids=["whole", "streamed"])
"""Where there might be an extra call, every call streams."""
GEMINI, KIMI, DEEPSEEK = "google/gemini-3-flash-preview", "moonshotai/kimi-k2.6", "deepseek/deepseek-v4-pro"


@pytest.fixture(autouse=True)
def world(provider, internet):
    provider.otherwise(verdict())
    internet.page("/", text(MILL))
    internet.hits(Hit(internet.url("/"), "The mill", "a snippet"))


def seat(**options):
    return Panelist(model=f"openrouter:{SEAT}", fallbacks=(f"openrouter:{SPARE}",), **options)


def alone(internet, hedge, **options):
    config = panel(SEAT, internet=internet, strategy="solo", hedge=hedge, **options)
    return config.model_copy(update={"panel": (seat(),)})


def body(row):
    """The row's reply as bytes, in one piece or as a stream's events."""
    head = {"id": "g", "object": "chat.completion", "created": 1, "model": SEAT}
    if "message" in row:
        message = {"role": "assistant", "content": None} | row["message"]
        return Raw(json.dumps(head | {"choices": [choice(message=message, finish_reason="tool_calls")]}).encode())
    choices = [choice(delta=delta, finish_reason=None) for delta in row["deltas"]]
    choices.append(choice(delta={}, finish_reason="tool_calls"))
    events = [json.dumps(head | {"object": "chat.completion.chunk", "choices": [one]}) for one in choices]
    said = "".join(f"data: {event}\n\n" for event in (*events, "[DONE]"))
    return Raw(said.encode(), content_type="text/event-stream")


def choice(**fields):
    return {"index": 0, **fields}


def called(request):
    """The assistant messages of a request that call tools."""
    return [message for message in request.messages if message.get("tool_calls")]


def given_back(message):
    return {name: message[name] for name in FIELDS if name in message}


def extras(message):
    return {call["id"]: call["extra_content"] for call in message["tool_calls"] if "extra_content" in call}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
async def test_what_came_with_a_tool_call_goes_back_on_every_later_request(provider, internet, row):
    provider.reply(SEAT, body(row), searches("Alder mill, again"), MILL)
    result = await afuse(QUESTION, alone(internet, 0.01 if "deltas" in row else None))
    assert result.answer == MILL
    first, second, third = provider.calls(SEAT)
    assert first.stream == ("deltas" in row)
    for message in (called(second)[0], called(third)[0]):
        assert given_back(message) == row["back"]
        assert extras(message) == row.get("extra_content", {})
    assert given_back(called(third)[1]) == {}


def thought(text, **signed):
    """A call of the search with `text` thought before it, as OpenRouter tells it."""
    detail = {"type": "reasoning.text", "text": text, "format": "x", "index": 0}
    sealed = {"type": "reasoning.encrypted", "data": "QUFB", "id": text, "format": "x", "index": 1}
    return Reply(
        reasoning=text,
        reasoning_details=[detail, sealed],
        tool_calls=[ToolCall("web_search", {"query": text}, extra_content=signed or None)],
        chunk_size=4,
    )


@STREAMED
async def test_the_budget_presets_own_seats_answer_where_endpoints_insist(provider, internet, hedge):
    provider.insist(GEMINI, KIMI, DEEPSEEK)
    provider.reply(GEMINI, *(thought(query, signature="c2ln") for query in ("the mill", "its year")), MILL)
    for model in (KIMI, DEEPSEEK):
        calls = [ToolCall("web_search", {"query": f"{model} {n}"}) for n in range(2)]
        thoughts = [Reply(reasoning="Hm.", reasoning_field="reasoning_content", tool_calls=[one]) for one in calls]
        provider.reply(model, *thoughts, MILL)
    tools = {"search": {"providers": ["searxng"]}, "fetch": reach(internet), "bash": "off", "hedge": hedge}
    config = type(preset("budget")).model_validate(preset("budget").model_dump(exclude_none=True) | tools)
    result = await afuse(QUESTION, config)
    assert (result.degraded, result.failed_models) == (["uncited"], [])
    own = [(f"openrouter:{model}", MILL, 2) for model in (GEMINI, KIMI, DEEPSEEK)]
    assert [(one.model, one.content, one.tool_calls) for one in result.responses] == own
    assert [provider.counts[model] for model in (GEMINI, KIMI, DEEPSEEK)] == [3, 3, 3]
    assert {request.stream for request in provider.calls(KIMI)} == {hedge is not None}


@STREAMED
async def test_a_fallback_is_sent_nothing_of_what_another_model_thought(provider, internet, hedge):
    provider.insist(SEAT, SPARE)
    provider.reply(SEAT, thought("one", signature="QQ=="), faults.withdrawn(SEAT))
    provider.reply(SPARE, thought("two"), MILL)
    result = await afuse(QUESTION, alone(internet, hedge))
    assert (result.answer, result.responses[0].model) == (MILL, f"openrouter:{SPARE}")
    last = provider.calls(SPARE)[-1]
    given = [given_back(message).get("reasoning") for message in called(last)]
    assert given[-1] == "two"
    assert "one" not in given
    assert all(not extras(message) for message in called(last))


@STREAMED
async def test_a_resumed_loop_sends_it_back(provider, internet, hedge, tmp_path):
    provider.insist(SEAT)
    provider.reply(SEAT, thought("one", signature="QQ=="), Hang())
    file = tmp_path / "runs.sqlite"
    task = asyncio.create_task(afuse(QUESTION, alone(internet, hedge), keep=file))
    await provider.until(lambda: provider.counts[SEAT] == 2)
    await cancelled(task)
    provider.reply(SEAT, thought("two", signature="Qg=="), MILL)
    (run,) = await list_runs(file)
    result = await afuse(resume=run.id, keep=file)
    assert (result.answer, result.failed_models) == (MILL, [])
    resumed, last = provider.calls(SEAT)[2:]
    assert [given_back(message)["reasoning"] for message in called(resumed)] == ["one"]
    assert [given_back(message)["reasoning"] for message in called(last)] == ["one", "two"]
