"""Each path of the product with a model that reads: what it does by itself, not what it was scripted to do.

The questions are ones that it gets right. Two seats, short answers, no chance.
"""

from pathlib import Path

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import HumanMessage

from fusion_tool import FusionConfig, FusionTool, Panelist, afuse
from fusion_tool.graph.agents.trial import try_local_model
from fusion_tool.models.abilities import Abilities, known_abilities, remember_abilities
from fusion_tool.models.call import ModelReply
from fusion_tool.models.factory import chat_model
from fusion_tool.models.local import catalog
from fusion_tool.models.written_calls import make_written_calls
from tests.scripted_server.web import Hit

CORPUS = Path(__file__).parents[2] / "examples" / "corpus"
NAME = "qwen2.5-coder-1.5b"
COST = "What was the final cost of the Norrholm bridge?"
MILL = "When was the Alder mill in Brook built?"
SUM = "Run `expr 1234 \\* 77` in the shell. What does it print?"

pytestmark = [pytest.mark.loopback, pytest.mark.local_model, pytest.mark.real_model, pytest.mark.timeout(480)]


def seat(number=1, **fields):
    options = {"temperature": 0, "seed": number, "max_tokens": 160, "seat": f"seat-{number}"}
    return Panelist(model=f"local:{NAME}", **(options | fields))


def config(**overrides):
    settings = {
        "panel": (seat(1), seat(2)),
        "judge": seat(3, seat="judge", max_tokens=400),
        "synthesizer": seat(4, seat="writer"),
        "search": None,
        "bash": "off",
        "limits": {"seconds": 420},
    }
    return FusionConfig(**(settings | overrides))


def spent(result):
    """All tokens of a run, those from the prompt cache among them; without a count there is no answer to trust."""
    assert all(call.input_tokens and call.output_tokens for call in result.usage.calls)
    return result.usage.input_tokens + result.usage.output_tokens


@pytest.fixture(autouse=True)
async def _own_record(monkeypatch, tmp_path):
    """What the model did in its trial; the installed model's own record is left alone."""
    weights = catalog.models_folder() / f"{NAME}.gguf"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / weights.name).symlink_to(weights.resolve(strict=True))
    monkeypatch.setattr(catalog, "data_path", tmp_path.joinpath)
    await remember_abilities(seat(), Abilities(calls_tools=True, cites=False))


async def test_its_trial_finds_that_it_calls_tools_and_does_not_cite():
    assert await try_local_model(NAME) == Abilities(calls_tools=True, cites=False)
    assert known_abilities(seat()) == Abilities(calls_tools=True, cites=False)


async def test_documents_are_searched_compared_by_schema_and_cited():
    result = await afuse(COST, config(documents=CORPUS))
    assert "497 million" in result.answer
    cited = {citation.url for citation in result.citations if citation.support == "supported"}
    assert "doc:corpus/norrholm-bridge-cost-inquiry.txt" in cited
    assert [call.stage for call in result.usage.calls] == ["panelist", "panelist", "judge", "synthesizer"]
    assert result.analysis is not None
    assert any("497" in point for point in result.analysis.consensus)
    assert not result.degraded
    assert spent(result) <= 3500


async def test_a_page_is_found_read_and_cited_and_two_scouts_agree_without_a_judge(web, monkeypatch):
    monkeypatch.setenv("SEARXNG_URL", web.root)
    web.hits(Hit(web.url("/mill"), "The Alder mill", "A mill in Brook"))
    web.page(
        "/mill",
        "<article><h1>The Alder mill</h1><p>The Alder mill in Brook was built in 1861 by the "
        "brothers Reed. A fire destroyed its roof in 1904, and it stood empty until 1921.</p></article>",
    )
    overrides = {
        "search": {"providers": ["searxng"]},
        "fetch": {"allowed_private_hosts": [f"127.0.0.1:{web.port}"]},
    }
    result = await afuse(MILL, config(strategy="cascade", **overrides))
    assert "1861" in result.answer
    assert web.counts["/mill"] == 1
    assert {(row.url, row.support) for row in result.citations} == {(web.url("/mill"), "supported")}
    assert [call.stage for call in result.usage.calls] == ["panelist", "panelist"]
    assert spent(result) <= 1200


async def test_the_shell_is_called_in_fenced_json_and_its_output_cited():
    result = await afuse(SUM, config(strategy="cascade", bash="sandbox", max_tool_calls=2))
    assert "95018" in result.answer
    assert {source.kind for source in result.sources} == {"command"}
    assert {row.url for row in result.citations} <= {source.url for source in result.sources}
    assert result.citations
    assert all(response.tool_calls >= 1 for response in result.responses)
    assert spent(result) <= 6500


class _WrittenCalls(AgentMiddleware):
    """Makes the call that the model writes into its text, as the panel's own seats do; with its result it has no tools.

    A model of this size asks again and again as long as it may.
    """

    async def awrap_model_call(self, request, handler):
        if any(message.type == "tool" for message in request.messages):
            return await handler(request.override(tools=[]))
        response = await handler(request)
        reply = ModelReply(response.result[-1].text, response.result[-1], truncated=False, panelist=seat())
        names = [tool.name for tool in request.tools]
        response.result[-1] = make_written_calls(reply, names, request.messages).message
        return response


async def test_an_agent_of_the_same_model_calls_the_panel_and_answers_from_its_result():
    tool = FusionTool(config(strategy="cascade", documents=CORPUS))
    agent = create_agent(await chat_model(seat()), tools=[tool], middleware=[_WrittenCalls()])
    state = await agent.ainvoke({"messages": [HumanMessage(f"Ask {tool.name}: {COST}")]})
    results = [message for message in state["messages"] if message.type == "tool"]
    assert [message.status for message in results] == ["success"]
    assert "497 million" in results[0].artifact["answer"]
    assert state["messages"][-1].type == "ai"
    assert "497" in state["messages"][-1].text
    replies = [message.usage_metadata["total_tokens"] for message in state["messages"] if message.type == "ai"]
    assert sum(replies) <= 1000
    usage = results[0].artifact["usage"]
    assert usage["input_tokens"] + usage["output_tokens"] <= 2000
