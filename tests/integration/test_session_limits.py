"""`session_limits`: all calls of one tool object together, one after the other, at once, and from threads."""

import asyncio
import threading

import pytest
from langchain.agents import create_agent
from langchain_core.messages.ai import UsageMetadata
from langgraph.checkpoint.memory import InMemorySaver

from fusion_tool import BudgetExceeded, ConfigError, FusionTool, Limits
from fusion_tool.testing import ScriptedChat, calls, fake_config

QUESTION = "What is it?"
NAME = "fusion_research"
MODEL = "openrouter:anthropic/claude-opus-4.8"
ANALYSIS = '{"consensus": ["It is."]}'


def a_call(call_id="call-1"):
    return {"type": "tool_call", "name": NAME, "args": {"question": QUESTION}, "id": call_id}


class Talker(ScriptedChat):
    """Answers as long as it may, and is billed by the list."""

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        result = super()._generate(messages, stop, run_manager, **kwargs)
        answered = kwargs.get("max_tokens") or 1000
        result.generations[0].message.usage_metadata = UsageMetadata(
            input_tokens=100, output_tokens=answered, total_tokens=100 + answered
        )
        return result


def talkers(max_tokens=1000, **fields):
    def one(reply="It is so."):
        return {"model": Talker(replies=[reply], model_name=MODEL), "max_tokens": max_tokens}

    roles = {"panel": [one(), one()], "judge": one(ANALYSIS), "synthesizer": one()}
    return fake_config(**(roles | fields))


def bill(message):
    return message.artifact["usage"] if message.artifact else {"cost_usd": 0.0, "input_tokens": 0, "output_tokens": 0}


def tokens(message):
    return (bill(message)["input_tokens"] or 0) + (bill(message)["output_tokens"] or 0)


async def until_refused(tool, most=40):
    """The answers of one call after the other, and the refusal that ends them."""
    answers = []
    for _ in range(most):
        message = await tool.ainvoke(a_call())
        if message.status == "error":
            return answers, message
        answers.append(message)
    pytest.fail("nothing was ever refused")


@pytest.mark.parametrize("limit", [{"usd": 0.5}, {"tokens": 30_000}])
async def test_calls_together_keep_the_limit_and_are_then_refused(limit):
    ((kind, most),) = limit.items()
    tool = FusionTool(talkers(), session_limits=Limits(**limit))
    answers, refused = await until_refused(tool)
    assert refused.content.startswith(f"BudgetExceeded: session_limits.{kind}: the run needs at least ")
    assert answers[0].artifact["status"] == "ok"
    assert getattr(tool.spent, kind) <= most
    assert getattr(tool.spent, kind) == pytest.approx(
        sum(bill(one)["cost_usd"] if kind == "usd" else tokens(one) for one in answers)
    )
    with pytest.raises(BudgetExceeded, match=rf"session_limits\.{kind}"):
        await tool.ainvoke({"question": QUESTION})


async def test_a_call_that_comes_near_the_limit_answers_shorter():
    tool = FusionTool(talkers(max_tokens=4000), session_limits=Limits(tokens=9_200))
    message = await tool.ainvoke(a_call())
    assert message.status == "success"
    assert message.artifact["status"] == "ok"
    assert max(row["output_tokens"] for row in message.artifact["usage"]["calls"]) < 4000
    assert tool.spent.tokens <= 9_000


async def test_a_call_that_runs_into_the_limit_degrades():
    """The seats' answers are there; they are too long for the judge that the session still affords."""
    long = Talker(replies=["It is so. " * 1000], model_name=MODEL)
    tool = FusionTool(talkers(panel=[long, long]), session_limits=Limits(tokens=9_200))
    message = await tool.ainvoke(a_call())
    assert (message.status, message.artifact["status"]) == ("success", "partial")
    assert message.artifact["degraded"] == ["analysis_unavailable", "budget_exhausted", "synthesis_unavailable"]
    assert message.content.startswith("It is so.")


@pytest.mark.parametrize("limit", [{"usd": 0.2}, {"tokens": 20_000}])
async def test_parallel_calls_of_one_turn_share_the_limit(limit):
    ((kind, most),) = limit.items()
    tool = FusionTool(talkers(), session_limits=Limits(**limit))
    messages = await asyncio.gather(*(tool.ainvoke(a_call(f"call-{n}")) for n in range(6)))
    assert getattr(tool.spent, kind) <= most
    assert {"success"} <= {one.status for one in messages}
    spent = sum(bill(one)["cost_usd"] if kind == "usd" else tokens(one) for one in messages)
    assert spent <= most


def test_synchronous_and_asynchronous_callers_of_one_object_share_the_limit():
    tool = FusionTool(talkers(), session_limits=Limits(tokens=20_000))
    threads = [threading.Thread(target=tool.invoke, args=(a_call(f"call-{n}"),)) for n in range(3)]
    threads += [threading.Thread(target=lambda: asyncio.run(tool.ainvoke(a_call()))) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert 10_000 < tool.spent.tokens <= 20_000


async def test_an_agents_turn_is_told_and_goes_on():
    tool = FusionTool(talkers(), session_limits=Limits(tokens=7_000))
    asks = [calls(NAME, call_id=name, question=f"{name}?") for name in ("one", "two")]
    model = ScriptedChat(replies=[*asks, lambda seen: f"Told: {seen[-1].text[:14]}"])
    agent = create_agent(model, [tool], checkpointer=InMemorySaver())
    state = await agent.ainvoke({"messages": [("user", "Ask twice.")]}, {"configurable": {"thread_id": "1"}})
    assert state["messages"][-1].text == "Told: BudgetExceeded"
    assert tool.spent.tokens <= 7_000


async def test_a_call_keeps_its_own_limits_too():
    tool = FusionTool(talkers(), limits={"tokens": 8_000}, session_limits=Limits(tokens=100_000))
    message = await tool.ainvoke(a_call())
    assert tokens(message) <= 8_000
    assert message.status == "success"


async def test_a_session_limit_of_dollars_refuses_what_has_no_price():
    refused = await FusionTool(fake_config(), session_limits=Limits(usd=5)).ainvoke(a_call())
    assert refused.content.startswith("ConfigError: panel.0.model: ")
    assert "session_limits.usd cannot be kept" in refused.content
    allowed = FusionTool(fake_config(), session_limits=Limits(usd=5), allow_unpriced=True)
    assert (await allowed.ainvoke(a_call())).status == "success"


async def test_seconds_are_time_at_work_over_all_calls():
    tool = FusionTool(fake_config(), session_limits=Limits(seconds=1))
    assert (await tool.ainvoke(a_call())).status == "success"
    assert 0 < tool.spent.seconds < 1
    refused = await tool.ainvoke(a_call())  # with less than a second nothing is begun
    assert refused.content.startswith("BudgetExceeded: session_limits.seconds: ")


async def test_without_limits_what_is_known_is_counted_all_the_same():
    tool = FusionTool(talkers())
    answers = [await tool.ainvoke(a_call()) for _ in range(2)]
    assert tool.spent.usd == pytest.approx(sum(bill(one)["cost_usd"] for one in answers))
    assert tool.spent.tokens == sum(tokens(one) for one in answers)


@pytest.mark.parametrize("field", ["quorum", "min_answers"])
def test_limits_of_one_run_are_no_sessions(field):
    with pytest.raises(ConfigError, match=rf"session_limits\.{field}"):
        FusionTool(fake_config(), session_limits=Limits(**{field: 1}))


def test_what_is_no_limits_is_refused_in_words():
    with pytest.raises(ConfigError, match="session_limits: expected limits"):
        FusionTool(fake_config(), session_limits=5)
