"""A shared database that is away, on every face: runs begin unkept and say so, what a budget hangs on is refused."""

import asyncio

import openai
import pytest

from fusion_tool import ChatFusion, FusionTool, Limits, afuse, astream, build_graph
from fusion_tool.errors import DatabaseUnavailable
from fusion_tool.servers.mcp.server import McpOptions, McpServer
from tests.integration.breaking import SEATS, script_answers
from tests.integration.callers import caller
from tests.integration.openai_server import client, served, user
from tests.integration.panel import QUESTION, panel
from tests.integration.test_session_limits import a_call
from tests.mcp_client import connected, text

pytestmark = pytest.mark.loopback
ADA, ALICE = caller("ada"), caller("alice", usd_a_day=5, limits={"usd": 1})
AWAY = "postgresql://fusion:hunter22pass@/name?host=/nowhere"


@pytest.fixture(autouse=True)
def answers(provider, monkeypatch):
    monkeypatch.setenv("FUSION_DATABASE_URL", AWAY)
    script_answers(provider)


async def ask(config, who=ADA, *, model="fusion", **options):
    """What `serve` answers."""

    def request(url):
        asking = client(url, f"secret-{who.name}").chat.completions
        return asking.create(model=model, messages=[user(QUESTION)], **options)

    with served(config, callers=(who,)) as url:
        return await asyncio.to_thread(request, url)


async def call(config, who=ADA, **options):
    """What the tool of `mcp` answers."""
    async with connected(McpServer(McpOptions(config, **options), who)) as session:
        return await session.call({"question": QUESTION})


# -- runs that were to be kept ------------------------------------------------------------------------------------


async def fused(config):
    return (await afuse(QUESTION, config, keep=True)).model_dump()


async def streamed(config):
    return [event async for event in astream(QUESTION, config, keep=True)][-1]["result"]


async def of_tool(config):
    message = await FusionTool(config, keep=True).ainvoke(a_call())
    assert "degraded: not_kept" in message.text
    return message.artifact


async def of_chat(config):
    message = await ChatFusion(config, keep=True).ainvoke(QUESTION)
    return message.response_metadata["fusion"]


async def of_server(config):
    reply = await ask(config, extra_headers={"Idempotency-Key": "order 7"})
    return {"answer": reply.choices[0].message.content, **reply.fusion}


async def of_mcp(config):
    answer = await call(config, answer_within=60)
    assert "degraded: not_kept" in text(answer)
    return answer["structuredContent"]


@pytest.mark.parametrize("ask_once", [fused, streamed, of_tool, of_chat, of_server, of_mcp])
async def test_a_run_that_was_to_be_kept_is_made_and_says_that_it_is_not(provider, ask_once, caplog):
    result = await ask_once(panel(*SEATS))
    assert result["answer"].startswith("In 1861.")
    assert (result["status"], result["degraded"]) == ("ok", ["not_kept"])
    assert sum(provider.counts.values()) == len(SEATS) + 2
    assert "the run is not kept: " in caplog.text
    assert "hunter22pass" not in f"{caplog.text} {result}"


# -- runs that draw on a budget which nobody can count ------------------------------------------------------------


async def of_session_tool(config):
    with pytest.raises(DatabaseUnavailable, match="budget of 'session ticket' is unknown") as refused:
        await FusionTool(config, session_limits=Limits(tokens=10**6), session="ticket").ainvoke({"question": QUESTION})
    return str(refused.value)


async def of_session_chat(config):
    with pytest.raises(DatabaseUnavailable, match="budget of 'session ticket' is unknown") as refused:
        await ChatFusion(config, session_limits=Limits(tokens=10**6), session="ticket").ainvoke(QUESTION)
    return str(refused.value)


async def of_identity(config):
    alice = {"configurable": {"langgraph_auth_user": {"identity": "alice", "usd_a_day": 5}}}
    with pytest.raises(DatabaseUnavailable, match=r"budget of 'identity alice .*' is unknown") as refused:
        await build_graph(config).ainvoke({"question": QUESTION}, alice)
    return str(refused.value)


async def of_key(config, **options):
    with pytest.raises(openai.InternalServerError, match="of 'alice' cannot be counted now") as refused:
        await ask(config, ALICE, **options)
    assert (refused.value.status_code, refused.value.response.headers["retry-after"]) == (503, "5")
    return str(refused.value)


async def of_agents_key(config):
    return await of_key(config, model="fusion-agent")


async def of_key_with_a_word(config):
    return await of_key(config, extra_headers={"Idempotency-Key": "order 7"})


async def of_mcp_key(config, **options):
    answer = await call(config, ALICE, **options)
    assert answer["isError"]
    assert "of 'alice' cannot be counted now" in text(answer)
    return text(answer)


async def of_kept_mcp_key(config):
    return await of_mcp_key(config, answer_within=60)


REFUSALS = [of_session_tool, of_session_chat, of_identity, of_key, of_agents_key, of_key_with_a_word, of_mcp_key]


@pytest.mark.parametrize("refusal", [*REFUSALS, of_kept_mcp_key])
async def test_what_hangs_on_a_budget_is_refused_before_anybody_is_asked(provider, refusal, caplog):
    said = await refusal(panel(*SEATS, allow_unpriced=True))
    assert provider.requests == []
    assert "hunter22pass" not in f"{caplog.text} {said}"
