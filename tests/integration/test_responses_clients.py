"""`/v1/responses` in the hands of OpenAI's clients, openai-agents, pydantic-ai and the AI SDK, which ask it."""

import json

import pytest

from fusion_tool import Panelist
from tests.integration.openai_server import served
from tests.integration.panel import JUDGE, WRITER, cite, panel, reads, text, verdict
from tests.integration.real_clients import needs_node_clients, needs_python_clients, run_node_client, run_python_client
from tests.scripted_server import Reply, ToolCall

pytestmark = pytest.mark.loopback

MAIN = "test/main"
ANSWER = "It was built in 1861 [1]."
OBJECT = json.dumps({"built": 1861})


@pytest.fixture
def page(internet):
    internet.page("/mill", text("The Alder mill was built in 1861."))
    return internet.url("/mill")


@pytest.fixture
def url(provider, internet, page):
    cited = f"It was built in 1861 {cite(page)}."

    def research(request):
        return cited if request.body["messages"][-1]["role"] == "tool" else reads(page)

    def write(request):
        return OBJECT if "response_format" in request.body else Reply(cited, chunk_size=5)

    def work(request):
        if "response_format" in request.body:
            return OBJECT
        if request.body["messages"][-1]["role"] == "tool":
            return "It was the mill."
        return Reply("I read it.", tool_calls=(ToolCall("read_file", {"path": "notes.md"}),))

    provider.reply("test/one", research)
    provider.reply("test/two", "1861.")
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, write)
    provider.reply(MAIN, work)
    with served(panel("test/one", "test/two", internet=internet), agent_model=main()) as url:
        yield url


def main():
    return Panelist(model=f"openrouter:{MAIN}")


def annotation(page):
    at = ANSWER.index("[1]")
    place = {"start_index": at, "end_index": at + 3}
    return {"type": "url_citation", **place, "url": page, "title": ""}


@needs_python_clients
def test_openais_client(provider, url, page):
    seen = run_python_client("openai_responses.py", url)
    assert {seen[name] for name in ("text", "deltas", "streamed", "followed")} == {ANSWER}
    assert (seen["annotations"], seen["streamed_annotations"]) == ([annotation(page)], 1)
    assert seen["parsed"] == {"built": 1861}
    usage = seen["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    assert usage["cost"] is None or usage["cost"] > 0
    first, *_, followed = provider.calls(WRITER)
    assert "Be brief." in first.prompt
    assert f"assistant: {ANSWER}" in followed.prompt


@needs_python_clients
@pytest.mark.parametrize("script", ["agents_responses.py", "pydantic_ai_responses.py"])
def test_an_agent_of_a_framework_calls_its_tool(provider, url, script):
    seen = run_python_client(script, url)
    assert seen["whole"] == seen["streamed"] == "It was the mill."
    assert set(seen["paths"]) == {"notes.md"}
    assert seen["tokens"] > 0
    *_, last = provider.calls(MAIN)
    said, result = last.body["messages"][-2:]
    assert (said["content"], said["tool_calls"][0]["function"]["name"]) == ("I read it.", "read_file")
    assert (result["role"], result["content"]) == ("tool", "The Alder mill burned down in 1902.")
    assert "Be brief." in last.prompt


@needs_node_clients
def test_openais_client_for_javascript(url, page):
    seen = run_node_client("openai_responses.mjs", url)
    assert (seen["text"], seen["deltas"], seen["streamed"]) == (ANSWER, ANSWER, ANSWER)
    assert seen["annotations"] == [annotation(page)]
    assert seen["usage"]["total_tokens"] > 0


@needs_node_clients
def test_the_ai_sdks_default_provider(provider, url, page):
    seen = run_node_client("ai_responses.mjs", url)
    assert (seen["text"], seen["deltas"], seen["sources"], seen["streamedSources"]) == (ANSWER, ANSWER, [page], 1)
    assert seen["worked"] == seen["followed"] == "It was the mill."
    assert seen["live"] == "I read it.It was the mill."
    assert set(seen["paths"]) == {"notes.md"}
    assert seen["object"] == {"built": 1861}
    assert seen["tokens"] > 0
    # Without `store: false` it refers to what was said by its id.
    _, worked, followed, *_ = [call.body["messages"] for call in provider.calls(MAIN)]
    assert [row["content"] for row in worked if row["role"] == "assistant"] == ["I read it."]
    assert [row["content"] for row in followed if row["role"] == "assistant"] == ["It was the mill."]
