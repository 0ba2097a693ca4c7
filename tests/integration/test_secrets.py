"""A key goes to its own provider's endpoint, and nowhere else: no result, event, error, state or log holds it."""

import json
import logging

import pytest
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langgraph.checkpoint.memory import MemorySaver

from fusion_tool import FusionTool, PanelFailed, afuse, astream, build_graph
from tests.integration.panel import JUDGE, KEY, QUESTION, WRITER, panel, reads, searches, verdict
from tests.scripted_server import Hang, Interrupted, Reply, faults
from tests.scripted_server.web import Hit, Page

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two")
PLAIN = "hunter2.correct/horse+battery=staple"
"""A key without any shape that a pattern could know."""


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")


@pytest.fixture(params=[KEY, PLAIN, "tvly-0123456789abcdef", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"])
def key(request, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", request.param)
    return request.param


def echoes(key):
    """What careless gateways do."""
    return [
        faults.http_error(401, f"Incorrect API key provided: {key}."),
        faults.http_error(400, f"Bad header 'Authorization: Bearer {key}'"),
        Interrupted(code=400, message=f"upstream said: invalid key {key}"),
        faults.openai_error(401, f"key={key}", kind="auth", code=None),
    ]


async def test_the_key_goes_to_its_provider(provider, key):
    await afuse(QUESTION, panel(*SEATS))
    assert {request.headers["authorization"] for request in provider.requests} == {f"Bearer {key}"}


@pytest.mark.parametrize("echo", range(4))
async def test_a_key_that_the_provider_echoes_is_in_no_result_event_or_log(provider, key, caplog, echo):
    caplog.set_level(logging.DEBUG)
    provider.reply("test/one", echoes(key)[echo])
    provider.reply(JUDGE, echoes(key)[echo])
    events = [event async for event in astream(QUESTION, panel(*SEATS))]
    assert events[-1]["result"]["failed_models"]
    assert key not in json.dumps(events)
    assert key not in "\n".join(record.getMessage() for record in caplog.records if not foreign(record))


@pytest.mark.parametrize("echo", range(4))
async def test_a_key_that_the_provider_echoes_is_in_no_error(provider, key, echo):
    provider.otherwise(echoes(key)[echo])
    with pytest.raises(PanelFailed) as failure:
        await afuse(QUESTION, panel(*SEATS))
    assert key not in str(failure.value)
    assert key not in json.dumps(failure.value.failed_models)


@pytest.mark.parametrize("echo", range(4))
@pytest.mark.parametrize("around", ["{}", " {}\n"])
async def test_a_key_of_any_variable_is_sent_without_white_space_and_echoed_nowhere(
    provider, monkeypatch, around, echo
):
    monkeypatch.setenv("OUR_GATEWAY", around.format(PLAIN))
    provider.otherwise(echoes(PLAIN)[echo])
    seat = {"model": "test/one", "base_url": provider.url, "api_key_env": "OUR_GATEWAY"}
    with pytest.raises(PanelFailed) as failure:
        await afuse(QUESTION, panel(*SEATS, panel=(seat,)))
    assert provider.calls("test/one")[0].headers["authorization"] == f"Bearer {PLAIN}"
    assert PLAIN not in str(failure.value)
    assert "[secret]" in str(failure.value)


async def test_it_is_in_no_message_to_the_calling_agent(provider, key):
    provider.otherwise(echoes(key)[0])
    call = {"type": "tool_call", "name": "fusion_research", "args": {"question": QUESTION}, "id": "1"}
    message = await FusionTool(panel(*SEATS)).ainvoke(call)
    assert message.status == "error"
    assert key not in message.model_dump_json()


async def test_a_normal_run_logs_no_key_at_any_level(provider, internet, caplog):
    caplog.set_level(logging.DEBUG)
    internet.hits(Hit(internet.url("/page"), "A"))
    internet.page("/page", Page(status=503))
    provider.reply("test/one", searches(), reads(internet.url("/page")), Reply("", refusal="No."))
    await afuse(QUESTION, panel(*SEATS, internet=internet))
    assert caplog.records
    assert KEY not in caplog.text


@pytest.mark.parametrize("variable", ["TAVILY_API_KEY", "EXA_API_KEY", "BRAVE_API_KEY", "OPENAI_API_KEY"])
async def test_the_other_keys_of_the_environment_go_nowhere(provider, internet, monkeypatch, variable):
    monkeypatch.setenv(variable, PLAIN)
    provider.reply("test/one", searches(), reads(internet.url("/page")), "1861.")
    result = await afuse(QUESTION, panel(*SEATS, internet=internet))
    sent = [(request.headers, request.body) for request in [*provider.requests, *internet.requests]]
    assert PLAIN not in str(sent)
    assert PLAIN not in result.model_dump_json()


async def test_a_custom_endpoint_gets_its_own_key_or_none(scripted, monkeypatch):
    monkeypatch.setenv("MY_KEY", "mine-0123456789")
    monkeypatch.setenv("OPENAI_API_KEY", PLAIN)
    own = {"model": "a", "base_url": scripted.url, "api_key_env": "MY_KEY"}
    bare = {"model": "b", "base_url": scripted.url}
    await afuse(QUESTION, panel("test/x", panel=[own, bare], judge=own, synthesizer=own))
    sent = {request.model: request.headers["authorization"] for request in scripted.requests}
    assert sent["a"] == "Bearer mine-0123456789"
    assert KEY not in sent["b"]
    assert PLAIN not in sent["b"]
    assert "mine" not in sent["b"]


class Careless(FakeListChatModel):
    """A caller's model that keeps its key as plain text, as many do."""

    service_key: str = PLAIN


async def test_a_models_own_fields_are_in_no_checkpoint():
    config = panel("test/x", panel=[{"model": Careless(responses=["1861."])}], strategy="solo")
    graph = build_graph(config, checkpointer=MemorySaver())
    on = {"configurable": {"thread_id": "t"}}
    result = (await graph.ainvoke({"question": QUESTION}, on))["result"]
    states = [snapshot.values async for snapshot in graph.aget_state_history(on)]
    assert PLAIN not in json.dumps(states, default=str)
    assert PLAIN not in json.dumps(result)
    assert isinstance(states[0]["run"]["config"]["panel"][0]["model"], str)


async def test_a_checkpoint_of_a_named_model_holds_no_key():
    graph = build_graph(panel(*SEATS), checkpointer=MemorySaver())
    on = {"configurable": {"thread_id": "t"}}
    await graph.ainvoke({"question": QUESTION}, on)
    states = [snapshot.values async for snapshot in graph.aget_state_history(on)]
    assert KEY not in json.dumps(states, default=str)


async def test_a_late_seats_record_holds_no_key(provider):
    provider.reply("test/two", Hang())
    result = await afuse(QUESTION, panel(*SEATS, limits={"quorum": 1, "grace_seconds": 0.01}))
    assert KEY not in result.model_dump_json()


def foreign(record: logging.LogRecord) -> bool:
    """What a client's library writes at DEBUG is what whoever turned that on asked for."""
    return record.name.split(".")[0] in ("openai", "httpx", "httpcore") and record.levelno <= logging.DEBUG
