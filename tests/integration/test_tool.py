"""`FusionTool` as a caller and LangChain's own test suite see it: what goes in, what comes out, what fails."""

from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from fusion_tool import ConfigError, FusionResult, FusionTool, PanelFailed
from fusion_tool.graph.result import Analysis, Contradiction, Stance
from fusion_tool.testing import ScriptedChat, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, panel, reads, text, verdict
from tests.scripted_server import Reply

SEATS = ("test/one", "test/two")
NAME = "fusion_research"


class _Suite:
    @property
    def tool_constructor(self) -> type[FusionTool]:
        return FusionTool

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return {"question": QUESTION}


class TestUnit(_Suite, ToolsUnitTests):
    @property
    def tool_constructor(self) -> Any:
        return FusionTool(fake_config())


class TestIntegration(_Suite, ToolsIntegrationTests):
    @property
    def tool_constructor(self) -> Any:
        return FusionTool(fake_config())


@pytest.fixture
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")
    return provider


def a_call(question=QUESTION, call_id="call-1", **more):
    return {"type": "tool_call", "name": NAME, "args": {"question": question, **more}, "id": call_id}


# What goes in, what comes out ---------------------------------------------------------------------------------------


def test_the_calling_model_sees_a_question_and_what_belongs_to_it_and_nothing_else():
    tool = FusionTool(fake_config())
    assert tool.name == NAME
    assert list(tool.args) == ["question", "context", "continues", "instructions"]
    assert all(field["type"] == "string" for field in tool.args.values())
    assert tool.tool_call_schema.model_json_schema()["required"] == ["question"]
    assert "Do not use it for" in tool.description


async def test_a_tool_call_gives_a_message_with_the_whole_result():
    message = await FusionTool(fake_config(answer="Paris.")).ainvoke(a_call())
    assert isinstance(message, ToolMessage)
    assert (message.tool_call_id, message.name, message.status) == ("call-1", NAME, "success")
    assert message.content.startswith("Paris.")
    result = FusionResult.model_validate(message.artifact)
    assert (result.answer, result.question) == ("Paris.", QUESTION)


async def test_plain_arguments_give_the_text():
    said = await FusionTool(fake_config(answer="Paris.")).ainvoke({"question": QUESTION})
    assert isinstance(said, str)
    assert said.startswith("Paris.")


@pytest.mark.loopback
async def test_the_text_is_the_answer_its_sources_and_how_it_came_about(judged, internet):
    url = internet.url("/mill")
    internet.page("/mill", text("The Alder mill was built in 1861."))
    said = f"The Alder mill was built in 1861 {cite(url)}."
    judged.reply("test/one", reads(url), Reply(said, cost=0.25))
    judged.reply(WRITER, said)
    shown = await FusionTool(panel(*SEATS, internet=internet)).ainvoke({"question": QUESTION})
    answer, sources, closing = shown.split("\n\n")
    assert answer == "The Alder mill was built in 1861 [1]."
    assert sources.splitlines()[0] == "Sources"
    assert sources.splitlines()[1].startswith("[1] ")
    assert url in sources
    for part in ("2 of 2 answered", "agreement on 1 points", "disputed: year", "$0.2500 and 4 unpriced calls", " s)"):
        assert part in closing


@pytest.mark.parametrize("tokens", [100, 200, 1500])
async def test_the_text_keeps_within_its_tokens(tokens):
    long = "A sentence of the answer that goes on. " * 200
    dispute = Contradiction(topic="a very long topic " * 50, stances=[Stance(model="A", stance="x")])
    analysis = Analysis(
        consensus=["x"], contradictions=[dispute], partial_coverage=[], unique_insights=[], blind_spots=[]
    )
    config = fake_config(answer=long, analysis=analysis, summary_tokens=tokens)
    message = await FusionTool(config).ainvoke(a_call())
    assert len(message.content) <= 4 * tokens
    assert "the whole answer is in the artifact" in message.content
    assert message.artifact["answer"] == long.strip()


async def test_what_the_caller_knows_reaches_the_seats():
    seat = ScriptedChat(replies=["Paris."])
    tool = FusionTool(fake_config(panel=[{"model": seat}], strategy="solo"))
    await tool.ainvoke({"question": QUESTION, "context": "It stands in Wexmoor."})
    assert "It stands in Wexmoor." in seat.prompts[0][-1].text


def test_overrides_merge_field_by_field():
    tool = FusionTool(fake_config(limits={"seconds": 60}), limits={"quorum": 1}, excluded_domains=["example.org"])
    assert (tool.config.limits.seconds, tool.config.limits.quorum) == (60, 1)
    assert tool.config.excluded_domains == ("example.org",)


def test_without_a_key_the_error_names_both_cures(monkeypatch):
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"OPENROUTER_API_KEY.*'local'"):
        FusionTool()


@pytest.mark.parametrize(("name", "value"), [("limits", {"euros": 1}), ("strategy", "guess"), ("nonsense", 1)])
def test_a_wrong_override_fails_at_construction_with_its_name(name, value):
    with pytest.raises(ConfigError, match=name):
        FusionTool(fake_config(), **{name: value})


# Failure ------------------------------------------------------------------------------------------------------------


BROKEN = ValueError("the model is on holiday")


async def test_a_failed_run_is_an_error_message_that_says_why():
    message = await FusionTool(fake_config(BROKEN, BROKEN)).ainvoke(a_call())
    assert (message.status, message.tool_call_id, message.artifact) == ("error", "call-1", None)
    assert "no usable answer from the panel" in message.content
    assert "scripted-1 upstream_error: the model is on holiday" in message.content
    assert "Traceback" not in message.content


async def test_a_failed_run_with_plain_arguments_raises():
    with pytest.raises(PanelFailed):
        await FusionTool(fake_config(BROKEN, BROKEN)).ainvoke({"question": QUESTION})


def test_the_synchronous_face_fails_the_same_way():
    tool = FusionTool(fake_config(BROKEN, BROKEN))
    assert tool.invoke(a_call()).status == "error"
    with pytest.raises(PanelFailed):
        tool.invoke({"question": QUESTION})


@pytest.mark.parametrize("question", ["", "   ", "x" * 100_001])
async def test_a_useless_question_is_an_error_message_that_names_it(question):
    message = await FusionTool(fake_config()).ainvoke(a_call(question))
    assert message.status == "error"
    assert message.content.startswith("ConfigError: question: ")
