"""`/v1/responses`: the protocol's events and objects, as OpenAI's own types read them."""

import json

import httpx
import openai
import pytest
from openai.types.responses import Response

from fusion_tool import Panelist
from tests.integration.openai_server import async_client, client, served, user
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, panel, reads, text, verdict
from tests.scripted_server import Cut, Hang, Reply, ToolCall, faults

pytestmark = pytest.mark.loopback

MAIN = "test/main"
ANSWER = "It was built in 1861."
READ_FILE = {"type": "function", "name": "read_file", "parameters": {"type": "object", "properties": {}}}
MODES = pytest.mark.parametrize("stream", [False, True])


@pytest.fixture(autouse=True)
def answers(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, Reply(ANSWER, cost=0.25, chunk_size=5))
    provider.reply(MAIN, ANSWER)


@pytest.fixture
def url(provider):  # noqa: ARG001 - set up before the server
    with served(panel("test/one", "test/two"), agent_model=Panelist(model=f"openrouter:{MAIN}")) as url:
        yield url


def post(url, **more):
    return httpx.post(f"{url}/responses", json={"model": "fusion", "input": QUESTION} | more, timeout=60)


def events(url, **more):
    """The events of a stream; each one's name is its type."""
    blocks = post(url, stream=True, **more).text.split("\n\n")
    named = [block.split("\n", 1) for block in blocks if block.startswith("event: ")]
    parsed = [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in named]
    assert all(name == event["type"] for name, event in parsed)
    return [event for _, event in parsed]


def create(url, *, stream=False, **more):
    """The response, and of a stream the one in its last event."""
    if stream:
        return Response.model_validate(events(url, **more)[-1]["response"])
    return Response.model_validate(post(url, **more).json())


@MODES
def test_a_response_its_bill_and_what_stands_behind_it(url, stream):
    response = create(url, stream=stream)
    (message,) = response.output
    assert (response.object, response.status, response.model, response.store) == (
        "response",
        "completed",
        "fusion",
        False,
    )
    assert (message.role, message.status, response.output_text) == ("assistant", "completed", ANSWER)
    assert response.usage.input_tokens + response.usage.output_tokens == response.usage.total_tokens > 0
    assert (response.usage.cost, response.usage.unpriced_calls) == (0.25, 3)
    assert response.fusion["analysis"]["consensus"] == ["The mill is old."]
    assert (response.error, response.incomplete_details) == (None, None)
    assert response.completed_at >= response.created_at


def test_a_streams_events_are_the_protocols_in_its_order(provider, internet):
    page = internet.url("/mill")
    internet.page("/mill", text("The Alder mill was built in 1861."))
    provider.reply("test/one", reads(page), f"It was built in 1861 {cite(page)}.")
    provider.reply(WRITER, Reply(f"It was built in 1861 {cite(page)}.", chunk_size=9))
    with served(panel("test/one", "test/two", internet=internet)) as url:
        stream = events(url)
    kinds = [event["type"] for event in stream if event["type"] != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in stream] == list(range(len(stream)))
    deltas = "".join(event["delta"] for event in stream if event["type"] == "response.output_text.delta")
    (item,) = stream[-1]["response"]["output"]
    assert deltas == item["content"][0]["text"] == "It was built in 1861 [1]."
    (annotation,) = item["content"][0]["annotations"]
    assert deltas[annotation["start_index"] : annotation["end_index"]] == "[1]"
    assert (annotation["type"], annotation["url"]) == ("url_citation", page)
    assert {event["item_id"] for event in stream if "item_id" in event} == {item["id"]}
    assert {event["output_index"] for event in stream if "output_index" in event} == {0}


@MODES
def test_a_call_of_the_clients_function_and_its_result(provider, url, stream):
    call = ToolCall("read_file", {"path": "notes.md"}, id="call_1")
    provider.reply(MAIN, Reply("I read it.", tool_calls=(call,)), "It burned down.")
    asked = [user("What burned down?")]
    first = create(url, model="fusion-agent", input=asked, tools=[READ_FILE], stream=stream)
    said, called = first.output
    assert (said.content[0].text, called.name, called.call_id) == ("I read it.", "read_file", "call_1")
    assert json.loads(called.arguments) == {"path": "notes.md"}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "The mill burned down."}
    history = [*asked, *(item.model_dump() for item in first.output), result]
    second = create(url, model="fusion-agent", input=history, tools=[READ_FILE], stream=stream)
    assert second.output_text == "It burned down."
    _, message, answered = provider.calls(MAIN)[-1].body["messages"]
    assert (message["content"], message["tool_calls"][0]["id"]) == ("I read it.", "call_1")
    assert (answered["tool_call_id"], answered["content"]) == ("call_1", "The mill burned down.")


def test_a_call_is_streamed_in_the_protocols_events(provider, url):
    provider.reply(MAIN, Reply("", tool_calls=(ToolCall("read_file", {"path": "a"}, id="call_1"),)))
    stream = events(url, model="fusion-agent", tools=[READ_FILE])
    assert [event["type"] for event in stream[2:]] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert json.loads(stream[4]["arguments"]) == {"path": "a"}


@MODES
def test_what_the_model_thought_goes_on_to_it_in_a_reasoning_item(provider, url, stream):
    provider.insist(MAIN)
    call = ToolCall("read_file", {"path": "a"}, id="call_1", extra_content={"google": {"thought_signature": "s"}})
    provider.reply(MAIN, Reply("", tool_calls=(call,), reasoning="Read first."), ANSWER)
    asked = [user("What?")]
    first = create(url, model="fusion-agent", input=asked, tools=[READ_FILE], stream=stream)
    assert [item.type for item in first.output] == ["reasoning", "function_call"]
    result = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
    history = [*asked, *(item.model_dump(exclude_none=True) for item in first.output), result]
    second = create(url, model="fusion-agent", input=history, tools=[READ_FILE], stream=stream)
    assert second.output_text == ANSWER


@MODES
def test_an_answer_that_had_no_more_tokens_is_incomplete(provider, url, stream):
    provider.reply(WRITER, Reply("It was", finish_reason="length"))
    response = create(url, stream=stream, max_output_tokens=5)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (response.output[0].status, response.max_output_tokens) == ("incomplete", 5)


@MODES
def test_an_object_of_a_schema(provider, url, stream):
    provider.reply(WRITER, '{"built": 1861}')
    schema = {"type": "object", "properties": {"built": {"type": "integer"}}, "required": ["built"]}
    form = {"type": "json_schema", "name": "mill", "schema": schema, "strict": True}
    response = create(url, stream=stream, text={"format": form, "verbosity": "low"})
    assert json.loads(response.output_text) == {"built": 1861}
    assert (response.text.format.name, response.text.verbosity) == ("mill", "low")
    provider.reply(WRITER, "In 1861.")
    if stream:
        error, failed = events(url, text={"format": form})[-2:]
        assert (error["type"], error["code"], failed["type"]) == ("error", "invalid_output", "response.failed")
    else:
        error = post(url, text={"format": form}).json()
    assert error["error"]["answer"] == "In 1861."


def test_what_the_client_says_of_its_request_is_echoed(url):
    said = {
        "instructions": "Be brief.",
        "include": ["reasoning.encrypted_content"],
        "truncation": "auto",
        "parallel_tool_calls": False,
        "metadata": {"user": "u"},
        "service_tier": "flex",
        "prompt_cache_key": "k",
        "safety_identifier": "s",
        "reasoning": {"effort": "low"},
        "temperature": 0.5,
        "max_output_tokens": 500,
    }
    response = create(url, **said, store=False, background=False, previous_response_id=None, top_logprobs=0)
    echoed = response.to_dict()
    assert {name: echoed[name] for name in said if name not in ("include", "reasoning")} == {
        name: value for name, value in said.items() if name not in ("include", "reasoning")
    }
    assert (echoed["reasoning"]["effort"], echoed["store"], echoed["tools"]) == ("low", False, [])


def test_a_failure_in_a_stream_is_the_protocols_and_raises_in_openais_client(provider, url):
    provider.reply(MAIN, Cut(Reply("The first words of an answer.", chunk_size=5), after=4))
    *before, error, failed = events(url, model="fusion-agent")
    assert (error["type"], error["code"]) == ("error", "model_failed")
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    (begun,) = failed["response"]["output"]
    assert begun["status"] == "incomplete"
    deltas = [event["delta"] for event in before if event["type"] == "response.output_text.delta"]
    assert begun["content"][0]["text"] == "".join(deltas) != ""
    assert failed["response"]["error"]["message"] == error["message"]
    with pytest.raises(openai.APIError) as raised:
        list(client(url).responses.create(model="fusion-agent", input=QUESTION, stream=True))
    assert raised.value.code == "model_failed"


def test_progress_is_the_summary_of_a_reasoning_item_if_the_operator_wants():
    with served(panel("test/one", "test/two"), progress="reasoning") as url:
        stream = events(url)
        assert create(url).output_text == ANSWER  # a whole response has no place for it
    assert list(dict.fromkeys(event["type"] for event in stream)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.output_item.done",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.completed",
    ]
    thoughts, message = stream[-1]["response"]["output"]
    assert (thoughts["type"], message["type"]) == ("reasoning", "message")
    assert f"the answers are compared (openrouter:{JUDGE})" in thoughts["summary"][0]["text"]
    assert [event["sequence_number"] for event in stream] == list(range(len(stream)))
    assert message["content"][0]["text"] == ANSWER


async def test_a_client_that_leaves_ends_its_run(provider, url):
    provider.reply(WRITER, Hang(Reply(ANSWER, chunk_size=5), after=3))
    async with async_client(url) as asking:
        stream = await asking.responses.create(model="fusion", input=QUESTION, stream=True)
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
        await stream.close()
    await provider.until(lambda: [left.model for left in provider.disconnects] == [WRITER])


def test_a_run_that_fails_before_a_word_has_its_status(provider, url):
    provider.otherwise(faults.unauthorized())
    response = post(url)
    assert response.json()["error"]["code"] == "panel_failed"
    assert response.status_code >= 400
