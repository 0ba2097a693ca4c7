"""What a Claude thought, by Anthropic's own client, goes back to it as it came, and to no other model."""

import asyncio

import pytest

from fusion_tool import Panelist, afuse
from fusion_tool.api.stored_runs import list_runs
from tests.integration.anthropic_server import THINKING, anthropic, says, seals, thinks, uses
from tests.integration.breaking import cancelled, wait_for
from tests.integration.openai_server import client, served, user
from tests.integration.panel import QUESTION, panel, text, verdict
from tests.integration.test_front_mode import READ_FILE, whole_message
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback

OPUS, HAIKU, SPARE = "claude-opus-4-8", "claude-haiku-4-5", "test/spare"
MILL = "The Alder mill was built in 1861."
STREAMED = pytest.mark.parametrize("hedge", [None, 0.01], ids=["whole", "streamed"])
MODES = pytest.mark.parametrize("stream", [False, True])


@pytest.fixture(autouse=True)
def world(provider, internet):
    provider.otherwise(verdict())
    internet.page("/", text(MILL))
    internet.hits(Hit(internet.url("/"), "The mill", "a snippet"))


def alone(internet, hedge, spare=f"openrouter:{SPARE}"):
    seat = Panelist(model=f"anthropic:{OPUS}", fallbacks=(spare,))
    settings = {"panel": (seat,), "allow_unpriced": True}
    return panel("test/x", internet=internet, strategy="solo", hedge=hedge).model_copy(update=settings)


def search(number):
    return uses("web_search", f"toolu_{number}", query=f"mill {number}")


def thoughts(body):
    """The thinking blocks in a request's messages."""
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [block for blocks in contents for block in blocks if block["type"] in THINKING]


@STREAMED
async def test_blocks_go_back_in_the_tool_loop(internet, monkeypatch, hedge):
    script = [thinks("Look."), seals("QUFB"), search(1)], [thinks("Again."), search(2)], [says(MILL)]
    with anthropic(monkeypatch, claude_opus_4_8=script) as server:
        result = await afuse(QUESTION, alone(internet, hedge))
    assert (result.answer, result.failed_models) == (MILL, [])
    assert {bool(body.get("stream")) for body in server.requests} == {hedge is not None}
    assert thoughts(server.requests[-1]) == [thinks("Look."), seals("QUFB"), thinks("Again.")]


@STREAMED
@pytest.mark.parametrize("spare", [f"anthropic:{HAIKU}", f"openrouter:{SPARE}"])
async def test_no_other_model_gets_them(provider, internet, monkeypatch, hedge, spare):
    provider.reply(SPARE, MILL)
    script = {"claude_opus_4_8": ([thinks("Look."), says("Hm."), search(1)], 400), "claude_haiku_4_5": ([says(MILL)],)}
    with anthropic(monkeypatch, **script) as server:
        result = await afuse(QUESTION, alone(internet, hedge, spare))
    assert (result.answer, result.responses[0].model) == (MILL, spare)
    told = [*server.requests, *(request.body for request in provider.calls(SPARE))]
    others = [body for body in told if body["model"] != OPUS]
    assert others
    assert not any(thoughts(body) for body in others)


@STREAMED
async def test_a_resumed_loop_sends_them_back(internet, monkeypatch, tmp_path, hedge):
    file = tmp_path / "runs.sqlite"
    script = [thinks("Look."), search(1)], None, [thinks("Again."), search(2)], [says(MILL)]
    with anthropic(monkeypatch, claude_opus_4_8=script) as server:
        task = asyncio.create_task(afuse(QUESTION, alone(internet, hedge), keep=file))
        await asyncio.to_thread(wait_for, lambda: len(server.requests) == 2)
        await cancelled(task)
        (run,) = await list_runs(file)
        result = await afuse(resume=run.id, keep=file)
    assert (result.answer, result.failed_models) == (MILL, [])
    assert thoughts(server.requests[-1]) == [thinks("Look."), thinks("Again.")]


@MODES
def test_they_go_back_across_a_clients_turns(monkeypatch, stream):
    script = [thinks("Read first."), seals("QUFB"), uses("read_file", "toolu_1", path="a")], [says("In 1861.")]
    with (
        anthropic(monkeypatch, claude_opus_4_8=script) as server,
        served(panel("test/one"), agent_model=Panelist(model=f"anthropic:{OPUS}")) as url,
    ):
        reply = whole_message(url, [user("When?")], stream=stream)
        history = [user("When?"), reply, {"role": "tool", "tool_call_id": "toolu_1", "content": "1861"}]
        said = client(url).chat.completions.create(model="fusion-agent", messages=history, tools=[READ_FILE])
    assert said.choices[0].message.content == "In 1861."
    assert thoughts(server.requests[-1]) == [thinks("Read first."), seals("QUFB")]
