"""A seat that does not look at its sources is asked again over evidence, and what stands without any is seen."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from fusion_tool import PanelFailed, afuse
from fusion_tool.grounding.sources import source_id
from fusion_tool.testing import ScriptedChat, calls, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, searches, text, verdict
from tests.scripted_server import Reply, ToolCall, faults
from tests.scripted_server.web import Hit, Page

MILL = "The Alder mill was built in 1861. It burned down in 1904."
INVENTED = "I found nothing in the documents. It was built in 1850."
NO_MATCH = "Zebras?"


@pytest.fixture
def notes(tmp_path):
    """A folder of one document, and the citation of it."""
    (tmp_path / "mill.md").write_text(MILL, "utf-8")
    return tmp_path


async def solo(notes, *replies, question=QUESTION, **overrides: Any):
    """One seat alone over `notes`: its model, and the result."""
    model = ScriptedChat(replies=replies, model_name="seat", cost_usd=0.25)
    settings = {"panel": [model], "strategy": "solo", "documents": notes} | overrides
    return model, await afuse(question, fake_config(**settings))


def from_evidence(prompt) -> str:
    """An answer as a model gives one that reads: it cites the first source of its prompt."""
    told = prompt[-1].text
    assert MILL in told
    return f"The Alder mill was built in 1861 [{cited(told)}]."


def cited(evidence: str) -> str:
    """The id of the first source."""
    return evidence.partition("source [")[2][:8]


async def test_a_seat_that_does_not_look_is_asked_again_over_evidence(notes):
    model, result = await solo(notes, INVENTED, from_evidence)
    assert (result.answer, result.status, result.degraded) == ("The Alder mill was built in 1861 [1].", "ok", [])
    assert [(one.title, one.support) for one in result.citations] == [("mill.md", "supported")]
    assert INVENTED not in str(model.prompts[1])
    assert [row.cost_usd for row in result.usage.calls] == [0.25, 0.25]


LOOKED = {
    "a search": [calls("search_documents", query="mill"), "1861."],
    "a search that finds nothing": [calls("search_documents", query="zebra"), "1861."],
    "the provider's own search": [AIMessage("1861.", additional_kwargs={"annotations": [{"type": "url_citation"}]})],
    "the provider's own tool": [
        AIMessage([{"type": "server_tool_call", "name": "web_search", "args": {}, "id": "1"}, "1861."])
    ],
}


@pytest.mark.parametrize("replies", LOOKED.values(), ids=LOOKED)
async def test_a_seat_that_looked_is_not_asked_again(notes, replies):
    model, result = await solo(notes, *replies)
    assert len(model.prompts) == len(replies)
    assert (result.answer, result.degraded, result.failed_models) == ("1861.", ["uncited"], [])


async def test_a_seat_without_sources_is_not_asked_again():
    model, result = await solo(None, "1861.")
    assert (len(model.prompts), result.status, result.degraded) == (1, "ok", [])


WRITTEN = '```json\n{"name": "search_documents", "arguments": {"query": "mill"}}\n```'


async def test_a_tool_call_written_as_text_is_made(notes):
    _, result = await solo(notes, WRITTEN, from_evidence)
    assert (result.answer, result.status) == ("The Alder mill was built in 1861 [1].", "ok")


async def test_after_a_look_a_written_call_keeps_what_was_found(notes):
    """The question itself matches nothing: what the seat had found before is its evidence."""
    looked = calls("search_documents", query="mill")
    _, result = await solo(notes, looked, WRITTEN, from_evidence, question=NO_MATCH)
    assert result.answer == "The Alder mill was built in 1861 [1]."


async def test_a_model_that_only_writes_calls_has_no_answer(notes):
    with pytest.raises(PanelFailed) as failure:
        await solo(notes, WRITTEN)
    assert [row["reason"] for row in failure.value.failed_models] == ["tool_loop"]


async def test_where_no_evidence_is_found_the_first_answer_stands_marked(notes):
    model, result = await solo(notes, INVENTED, question=NO_MATCH)
    assert (result.answer, result.status) == (INVENTED, "partial")
    assert result.degraded == ["panel_reduced", "uncited"]
    assert [(row.seat, row.reason) for row in result.failed_models] == [("seat", "empty")]
    assert (len(model.prompts), result.responses[0].tool_calls) == (1, 1)


SECOND_FAILS = {
    "refused": (AIMessage("", response_metadata={"finish_reason": "refusal"}), "refused"),
    "empty": ("", "empty"),
    "late": (TimeoutError(), "timeout"),
    "a written call": (WRITTEN, "invalid_output"),
}


@pytest.mark.parametrize(("second", "reason"), SECOND_FAILS.values(), ids=SECOND_FAILS)
async def test_where_the_second_ask_fails_the_first_answer_stands_marked(notes, second, reason):
    _, result = await solo(notes, INVENTED, second)
    assert (result.answer, result.status) == (INVENTED, "partial")
    assert result.degraded == ["panel_reduced", "uncited"]
    assert [row.reason for row in result.failed_models] == [reason]


@pytest.mark.loopback
async def test_a_fallback_that_reads_stands_before_an_answer_without_a_look(provider, notes):
    provider.reply("test/one", INVENTED, faults.unauthorized())
    search = Reply(tool_calls=[ToolCall("search_documents", {"query": "mill"})])
    provider.reply("test/spare", search, lambda request: f"In 1861 [{cited(request.tool_results[0])}].")
    seat = {"model": "openrouter:test/one", "fallbacks": ["openrouter:test/spare"]}
    result = await afuse(QUESTION, panel(panel=[seat], strategy="solo", documents=notes))
    assert (result.answer, result.degraded) == ("In 1861 [1].", [])
    assert [row.reason for row in result.failed_models] == ["auth"]


async def test_a_second_ask_that_does_not_fit_is_not_made_and_told(notes):
    dear = AIMessage(INVENTED, usage_metadata={"input_tokens": 4000, "output_tokens": 300, "total_tokens": 4300})
    model, result = await solo(notes, dear, from_evidence, limits={"tokens": 4400})
    assert (len(model.prompts), result.answer, result.status) == (1, INVENTED, "partial")
    assert result.degraded == ["panel_reduced", "budget_exhausted", "uncited"]
    assert [row.reason for row in result.failed_models] == ["budget"]


async def test_a_seat_cut_while_it_is_asked_again_keeps_its_first_answer(notes):
    begun = asyncio.Event()

    class Slow(ScriptedChat):
        async def _agenerate(self, *args, **kwargs):
            if self.prompts:
                begun.set()
                await asyncio.Event().wait()
            return await super()._agenerate(*args, **kwargs)

    class Waiting(ScriptedChat):
        async def _agenerate(self, *args, **kwargs):
            await begun.wait()
            return await super()._agenerate(*args, **kwargs)

    quick = Waiting(replies=[calls("search_documents", query="mill"), from_evidence], model_name="quick")
    seats = [Slow(replies=[INVENTED], model_name="slow"), quick]
    config = fake_config(panel=seats, documents=notes, limits={"quorum": 1, "grace_seconds": 0})
    result = await afuse(QUESTION, config)
    assert {one.seat: one.content for one in result.responses}["slow"] == INVENTED
    assert [(row.seat, row.reason) for row in result.failed_models] == [("slow", "straggler")]
    assert {"panel_reduced", "straggler_cut"} <= set(result.degraded)


async def test_the_judge_is_told_who_did_not_look(notes):
    looked = ScriptedChat(replies=[calls("search_documents", query="mill"), from_evidence], model_name="looked")
    judge = ScriptedChat(replies=[verdict()], model_name="judge")
    seats = [looked, ScriptedChat(replies=[INVENTED, ""], model_name="blind")]
    await afuse(QUESTION, fake_config(panel=seats, judge=judge, documents=notes))
    assert str(judge.prompts[0]).count("written without a look at the sources") == 1


# The web ----------------------------------------------------------------------------------------------------------


@pytest.mark.loopback
async def test_seats_that_do_not_look_share_one_gathering(provider, internet):
    for n in range(3):
        internet.page(f"/{n}", text(MILL))
    internet.hits(*(Hit(internet.url(f"/{n}"), f"Page {n}", "a snippet") for n in range(3)))
    said = f"It was built in 1861 [{source_id(internet.url('/0'))}]."
    for model in ("test/one", "test/two"):
        provider.reply(model, "It was built in 1850.", said)
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, said)
    result = await afuse(QUESTION, panel("test/one", "test/two", internet=internet))
    assert (result.status, result.degraded, len(result.citations)) == ("ok", [], 1)
    assert internet.queries == [QUESTION]
    assert [internet.counts[f"/{n}"] for n in range(3)] == [1, 1, 1]
    assert [bool(request.tools) for request in provider.calls("test/one")] == [True, False]


@pytest.mark.loopback
async def test_where_the_web_is_down_the_first_answer_stands_marked(provider, internet):
    internet.page("/search", Page(status=500))
    provider.reply("test/one", "It is 4.")
    result = await afuse("What is 2 + 2?", panel("test/one", internet=internet, strategy="solo"))
    assert (result.answer, result.status) == ("It is 4.", "partial")
    assert result.degraded == ["panel_reduced", "search_unavailable", "uncited"]
    assert provider.counts["test/one"] == 1


FRESH = "What are the latest results on solid state batteries?"


@pytest.mark.loopback
async def test_a_seat_whose_question_needs_sources_is_told_once_to_look(provider, internet):
    internet.hits(Hit(internet.url("/0"), "Page", MILL))
    said = f"It was built in 1861 [{source_id(internet.url('/0'))}]."
    provider.reply("test/one", "From memory: 1850.", searches("mill"), said)
    result = await afuse(FRESH, panel("test/one", internet=internet, strategy="solo"))
    assert (result.status, result.degraded, len(result.citations)) == ("ok", [], 1)
    told = provider.calls("test/one")[1]
    assert "You have not looked anything up yet" in told.prompt
    assert "From memory: 1850." in told.prompt
    assert [len(result.usage.calls), result.responses[0].tool_calls] == [3, 1]


@pytest.mark.loopback
async def test_one_that_still_does_not_look_is_asked_over_evidence(provider, internet):
    internet.hits(Hit(internet.url("/0"), "Page", MILL))
    said = f"It was built in 1861 [{source_id(internet.url('/0'))}]."
    provider.reply("test/one", "From memory: 1850.", "I know it: 1850.", said)
    result = await afuse(FRESH, panel("test/one", internet=internet, strategy="solo"))
    assert (result.status, len(result.citations)) == ("ok", 1)
    requests = provider.calls("test/one")
    assert [bool(request.tools) for request in requests] == [True, True, False]
    assert ["not looked anything up" in request.prompt for request in requests] == [False, True, False]


@pytest.mark.loopback
@pytest.mark.parametrize(("second", "reason"), [(Reply(""), "empty"), (faults.unauthorized(), "auth")])
async def test_where_the_call_that_was_to_look_fails_the_first_answer_stands_marked(provider, internet, second, reason):
    provider.reply("test/one", "From memory: 1850.", second)
    result = await afuse(FRESH, panel("test/one", internet=internet, strategy="solo"))
    assert (result.answer, result.degraded) == ("From memory: 1850.", ["panel_reduced", "uncited"])
    assert [row.reason for row in result.failed_models] == [reason]


@pytest.mark.loopback
@pytest.mark.parametrize("question", ["What is 2 + 2?", "Who wrote Hamlet?", "Write a haiku about autumn"])
async def test_a_question_that_needs_no_source_is_not_nagged(provider, internet, question):
    provider.reply("test/one", "So it is.")
    await afuse(question, panel("test/one", internet=internet, strategy="solo"))
    assert "not looked anything up" not in str([request.prompt for request in provider.calls("test/one")])


async def test_nor_is_a_seat_that_has_documents_alone(notes):
    model, _ = await solo(notes, INVENTED, from_evidence, question=f"{FRESH} In the Alder mill.")
    assert "not looked anything up" not in str(model.prompts)


# The final answer -------------------------------------------------------------------------------------------------


async def test_seats_that_cite_and_a_writer_who_does_not(notes):
    reads = [calls("search_documents", query="mill"), from_evidence]
    seats = [ScriptedChat(replies=reads, model_name=name) for name in ("one", "two")]
    result = await afuse(QUESTION, fake_config(panel=seats, answer="1861.", documents=notes))
    assert (result.answer, result.status, result.degraded) == ("1861.", "partial", ["uncited"])
    assert [one.audit.supported for one in result.responses] == [1, 1]


async def test_an_invented_citation_is_none(notes):
    _, result = await solo(notes, calls("search_documents", query="mill"), "It was 1861 [1a2b3c4d].")
    assert (result.citations, result.status, result.degraded) == ([], "partial", ["uncited"])
