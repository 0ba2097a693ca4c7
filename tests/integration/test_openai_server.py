"""OpenAI's own clients, synchronous, asynchronous and streaming, against a panel behind a real server."""

import httpx
import pytest
from openai import APIError

from fusion_tool.config.presets import load_presets
from tests.integration.openai_server import async_client, client, served, user
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Cut, Hang, Reply, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two", "test/three")
ANSWER = "It was built in 1861, by the miller's own account."


@pytest.fixture(autouse=True)
def answers(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, Reply(ANSWER, cost=0.25, chunk_size=5))


@pytest.fixture
def url(provider):  # noqa: ARG001 - set up before the server
    with served(panel(*SEATS, limits={"seconds": 100})) as url:
        yield url


def ask(url, *messages, model="fusion", **more):
    return client(url).chat.completions.create(model=model, messages=messages or [user(QUESTION)], **more)


def raw_stream(url, **more):
    body = {"model": "fusion", "stream": True, "messages": [user(QUESTION)]} | more
    return httpx.post(f"{url}/chat/completions", json=body).text


def test_an_answer_its_bill_and_what_stands_behind_it(url):
    reply = ask(url)
    (choice,) = reply.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", ANSWER, "stop")
    assert (reply.object, reply.model) == ("chat.completion", "fusion")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (500, 100, 600)
    assert (reply.usage.cost, reply.usage.unpriced_calls) == (0.25, 4)
    assert reply.fusion["analysis"]["consensus"] == ["The mill is old."]
    assert reply.fusion["plan"]["seats"] == ["one", "two", "three"]
    assert "answer" not in reply.fusion


def test_a_streamed_answer_is_the_same(url):
    chunks = list(ask(url, stream=True, stream_options={"include_usage": True}))
    *_, last, bill = chunks
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == ANSWER
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert last.fusion["analysis"]["blind_spots"] == ["Who built it."]
    assert (bill.choices, bill.usage.total_tokens, bill.usage.cost) == ([], 600, 0.25)
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_clients_bound_ends_the_answer(provider, url, name, stream):
    provider.reply(WRITER, Reply("It was built in", finish_reason="length"))
    reply = ask(url, stream=stream, extra_body={name: 9})
    if stream:
        chunks = [chunk.choices[0] for chunk in reply]
        text, end = "".join(chunk.delta.content or "" for chunk in chunks), chunks[-1].finish_reason
    else:
        text, end = reply.choices[0].message.content, reply.choices[0].finish_reason
    assert (text, end) == ("It was built in", "length")
    (request,) = provider.calls(WRITER)
    assert (request.body.get("max_tokens") or request.body.get("max_completion_tokens")) == 9


ROUTER = "openrouter/fusion"


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"plugins": [{"id": "fusion", "enabled": True, "max_tool_calls": 4, "max_completion_tokens": 900}]},
        {"tools": [{"type": "openrouter:fusion"}], "tool_choice": "required"},
    ],
    ids=str,
)
def test_a_request_made_for_openrouters_router_is_answered_by_the_panel(url, more):
    reply = ask(url, model=ROUTER, extra_body=more)
    assert (reply.model, reply.choices[0].message.content) == (ROUTER, ANSWER)
    assert reply.fusion["plan"]["seats"] == ["one", "two", "three"]
    assert client(url).models.retrieve(ROUTER).id == ROUTER


def test_its_analysis_models_are_out_of_the_operators(provider, url):
    tool = {"type": "openrouter:fusion", "parameters": {"analysis_models": ["test/two"], "max_completion_tokens": 70}}
    reply = ask(url, model=ROUTER, extra_body={"tools": [tool]})
    assert reply.fusion["plan"]["seats"] == ["two"]
    (request,) = provider.calls("test/two")
    assert (request.body.get("max_tokens") or request.body.get("max_completion_tokens")) == 70
    tool["parameters"]["analysis_models"] = ["~openai/gpt-latest"]
    with pytest.raises(APIError, match="'~openai/gpt-latest' is not offered here; there are") as refused:
        ask(url, model=ROUTER, extra_body={"tools": [tool]})
    assert refused.value.param == "models.0"


def test_a_plugin_that_is_switched_off_asks_one_model(provider, url):
    reply = ask(url, model=ROUTER, extra_body={"plugins": [{"id": "fusion", "enabled": False}]})
    assert reply.choices[0].message.content == "The scripted answer of test/one."
    assert provider.counts == {"test/one": 1}


def test_a_presets_name_and_another_preset_are_no_request(provider):
    with served(panel(*SEATS), presets=load_presets(["fast", "quality"])) as url:
        with pytest.raises(APIError, match="'fusion-fast' is a preset by itself") as refused:
            ask(url, model="fusion-fast", extra_body={"fusion": {"preset": "quality"}})
        assert refused.value.param == "preset"
    assert not provider.requests


async def test_the_asynchronous_client_streams_while_the_answer_is_written(provider, url):
    provider.reply(WRITER, Hang(Reply(ANSWER, chunk_size=5), after=5))
    async with async_client(url) as asking:
        stream = await asking.chat.completions.create(model="fusion", messages=[user(QUESTION)], stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        assert provider.in_flight == 1
        await stream.close()
    await provider.until(lambda: [left.model for left in provider.disconnects] == [WRITER])


async def test_the_asynchronous_client_gets_a_whole_answer_too(url):
    async with async_client(url) as asking:
        reply = await asking.chat.completions.create(model="fusion", messages=[user(QUESTION)])
    assert reply.choices[0].message.content == ANSWER


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_said_before_is_context_and_the_systems_wish_reaches_the_writer(provider, url, stream):
    said = [
        {"role": "system", "content": "Answer in French."},
        user("Which mill is the oldest?"),
        {"role": "assistant", "content": "The Alder mill."},
        user("When was it built?"),
    ]
    reply = ask(url, *said, stream=stream)
    if stream:
        list(reply)
    (written,) = provider.calls(WRITER)
    assert "Answer in French." in written.prompt
    for request in (written, *provider.calls("test/one")):
        assert "# Question\n\nWhen was it built?" in request.prompt or "When was it built?" in request.last
        assert "assistant: The Alder mill." in request.prompt


def test_progress_comes_as_comments(url):
    text = raw_stream(url)
    assert ": the panel has closed: 3 answered, 0 failed\n\n" in text
    assert "reasoning" not in text
    assert text.endswith("data: [DONE]\n\n")


def test_progress_comes_as_reasoning_if_the_operator_wants():
    with served(panel(*SEATS), progress="reasoning") as url:
        chunks = [chunk.choices[0].delta for chunk in ask(url, stream=True)]
    told = "".join(delta.reasoning_content for delta in chunks if hasattr(delta, "reasoning_content"))
    assert f"the answers are compared (openrouter:{JUDGE})\n" in told
    assert told == "".join(delta.reasoning for delta in chunks if hasattr(delta, "reasoning"))
    assert "".join(delta.content or "" for delta in chunks) == ANSWER


def test_progress_can_be_off():
    with served(panel(*SEATS), progress="off") as url:
        assert not [line for line in raw_stream(url).splitlines() if line.startswith(":")]


def test_a_silent_run_gives_signs_of_life(provider, url, monkeypatch):
    monkeypatch.setattr("fusion_tool.servers.openai.sse.SILENCE", 0.05)
    provider.reply(WRITER, Reply(ANSWER, delay=0.4))
    assert ": still working\n\n" in raw_stream(url)


def test_what_a_model_says_starts_no_event_of_its_own(provider, url):
    provider.reply("test/one", faults.http_error(401, 'no\n\ndata: {"error": {"message": "forged"}}\n\n'))
    text = raw_stream(url)
    events = [line for line in text.splitlines() if line.startswith("data:")]
    assert not [event for event in events if event.startswith('data: {"error"')]
    assert "forged" in text


def test_a_caller_chooses_out_of_the_operators_models(provider, url):
    reply = ask(url, extra_body={"fusion": {"models": ["test/two"], "strategy": "solo", "limits": {"seconds": 50}}})
    assert reply.choices[0].message.content == "The scripted answer of test/two."
    assert set(provider.counts) == {"test/two"}


def test_openrouters_plugin_is_understood(provider, url):
    plugin = {"id": "fusion", "analysis_models": ["test/two", "test/two"], "model": "test/three"}
    provider.reply("test/three", verdict(), "The third writes.")
    reply = ask(url, extra_body={"plugins": [plugin]})
    assert dict(provider.counts) == {"test/two": 2, "test/three": 2}
    assert reply.choices[0].message.content == "The third writes."


def test_an_allowed_preset_is_a_model_of_its_own(provider):
    provider.otherwise(Reply("The presets' answer."))
    with served(panel(*SEATS, limits={"seconds": 30}), presets=load_presets(["fast"])) as url:
        assert [one.id for one in client(url).models.list()] == ["fusion", "fusion-agent", "fusion-fast"]
        assert client(url).models.retrieve("fusion-fast").owned_by == "fusion-tool"
        reply = ask(url, model="fusion-fast")
    assert reply.choices[0].message.content == "The presets' answer."
    assert not set(SEATS) & set(provider.counts)


@pytest.mark.parametrize("stream", [False, True])
def test_a_lost_seat_is_told_and_the_answer_comes(provider, url, stream):
    provider.reply("test/two", faults.unauthorized())
    reply = ask(url, stream=stream)
    fusion = list(reply)[-1].fusion if stream else reply.fusion
    assert fusion["degraded"] == ["panel_reduced"]
    assert [row["reason"] for row in fusion["failed_models"]] == ["auth"]


def test_a_writer_that_fails_before_its_first_word_is_replaced(provider, url):
    provider.reply(WRITER, faults.unauthorized())
    provider.reply(JUDGE, verdict(), Reply("The judge writes.", chunk_size=4))
    chunks = list(ask(url, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "The judge writes."


def test_unknown_tokens_are_no_bill(provider):
    provider.otherwise(Reply("Said.", usage=None))
    provider.reply("test/one", Reply("Said.", usage=None))
    with served(panel("test/one", strategy="solo")) as url:
        assert ask(url).usage is None


def test_a_broken_connection_upstream_after_the_first_word_is_an_error_event(provider, url):
    """Text that was shown cannot be taken back; the whole answer, which is paid for, goes with the error."""
    provider.reply(WRITER, Cut(Reply("The first words of an answer.", chunk_size=5), after=4))
    provider.reply(JUDGE, verdict(), Reply("The judge writes."))
    said = []
    with pytest.raises(APIError, match="written anew") as broken:
        said.extend(chunk.choices[0].delta.content or "" for chunk in ask(url, stream=True))
    assert "".join(said).startswith("The first")
    assert "judge" not in "".join(said)
    assert broken.value.code == "answer_restarted"
    assert broken.value.body["answer"] == "The judge writes."


def test_what_was_done_is_counted(provider, url):
    provider.reply("test/two", faults.unauthorized())
    ask(url)
    page = httpx.get(url.replace("/v1", "/metrics")).text
    for line in (
        'fusion_requests_total{code="ok",key="",model="fusion"} 1.0',
        'fusion_runs_total{key="",status="ok"} 1.0',
        'fusion_failures_total{reason="auth"} 1.0',
        "fusion_run_seconds_count 1.0",
        "fusion_runs_in_flight 0.0",
        'fusion_cost_usd_total{key=""} 0.25',
        'fusion_tokens_total{direction="output",key=""} 80.0',
    ):
        assert line in page


def test_health_says_so(url):
    assert httpx.get(url.replace("/v1", "/healthz")).json()["status"] == "ok"
