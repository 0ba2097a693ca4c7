"""A question in, one result out: its fields, its records, its bill."""

import os

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import MemorySaver

from fusion_tool import ConfigError, FusionResult, PanelFailed, Panelist, afuse, build_graph
from fusion_tool.testing import ScriptedChat, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Cut, Interrupted, Raw, Reply, ToolCall, Usage, faults

pytestmark = pytest.mark.loopback

PRICED = "openai/gpt-4o-mini"
FIELDS = {
    "status", "schema_version", "cached", "answer", "citations", "sources", "analysis", "responses", "failed_models",
    "degraded", "plan", "usage", "timing", "run_id", "question", "created_at", "version",
}  # fmt: skip


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")


async def test_a_normal_run_has_every_field():
    result = await afuse(QUESTION, panel("test/one", "test/two"))
    assert set(result.model_dump()) >= FIELDS
    assert (result.status, result.degraded, result.cached) == ("ok", [], False)
    assert result.answer == "It was built in 1861."
    assert result.question == QUESTION
    assert result.plan.model_dump() == {
        "strategy": "panel",
        "seats": ["one", "two"],
        "reason": "strategy panel: all 2 configured seats",
        "bash": "off",
        "stays_local": None,
    }
    assert [(one.seat, one.model, one.wave, one.tool_calls, one.content) for one in result.responses] == [
        ("one", "openrouter:test/one", 1, 0, "The scripted answer of test/one."),
        ("two", "openrouter:test/two", 1, 0, "The scripted answer of test/two."),
    ]


async def test_a_result_survives_its_own_json():
    result = await afuse(QUESTION, panel("test/one", "test/two"))
    assert FusionResult.model_validate_json(result.model_dump_json()) == result


async def test_every_stage_that_ran_is_timed():
    timing = (await afuse(QUESTION, panel("test/one", "test/two"))).timing
    stages = (timing.panel_seconds, timing.judge_seconds, timing.synthesis_seconds)
    assert None not in stages
    assert timing.total_seconds >= max(stages)


async def test_every_call_is_a_row_of_the_bill():
    usage = (await afuse(QUESTION, panel("test/one", "test/two"))).usage
    rows = [(row.stage, row.seat, row.model) for row in usage.calls]
    assert rows == [
        ("panelist", "one", "openrouter:test/one"),
        ("panelist", "two", "openrouter:test/two"),
        ("judge", None, f"openrouter:{JUDGE}"),
        ("synthesizer", None, f"openrouter:{WRITER}"),
    ]


PRICES = [
    pytest.param("test/none", Reply("x", cost=0.25), (0.25, "provider"), id="the provider's figure"),
    pytest.param("test/none", Reply("x", cost=0.0), (0.0, "provider"), id="the provider's figure of nothing"),
    pytest.param(PRICED, Reply("x", cost=0.25), (0.25, "provider"), id="the provider's figure beats the list"),
    pytest.param(PRICED, Reply("x", usage=Usage(1_000_000, 0)), (0.15, "list_price"), id="the list price"),
    pytest.param("test/none", Reply("x"), (None, "unpriced"), id="a model that no list knows"),
    pytest.param(PRICED, Reply("x", usage=None), (None, "unpriced"), id="a provider that counts no tokens"),
]


@pytest.mark.parametrize(("model", "reply", "expected"), PRICES)
async def test_a_calls_cost_is_the_best_figure_there_is(provider, model, reply, expected):
    provider.reply(model, reply)
    result = await afuse(QUESTION, panel(model, strategy="solo"))
    (row,) = result.usage.calls
    assert (row.cost_usd, row.cost_source) == (pytest.approx(expected[0]) if expected[0] else expected[0], expected[1])


async def test_unknown_is_null_and_never_0(provider):
    provider.reply("test/one", Reply("x", usage=None))
    usage = (await afuse(QUESTION, panel("test/one", strategy="solo"))).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cost_usd, usage.unpriced_calls) == (None, None, None, 1)


async def test_the_sum_says_how_many_calls_it_leaves_out(provider):
    provider.reply("test/one", Reply("x", cost=0.5, usage=Usage(prompt=10, completion=5, cached=4)))
    usage = (await afuse(QUESTION, panel("test/one", "test/two"))).usage
    assert (usage.cost_usd, usage.unpriced_calls) == (0.5, 3)
    assert usage.input_tokens == 10 + 3 * 100
    assert usage.calls[0].cached_tokens == 4


async def test_a_seats_failed_attempt_is_billed_where_it_may_have_cost(provider):
    """A refusal was generated and paid for; an error status was not."""
    provider.reply("test/one", Reply("", refusal="I will not.", cost=0.1))
    provider.reply("test/two", faults.unauthorized())
    result = await afuse(QUESTION, panel("test/one", "test/two", "test/three"))
    billed = [(row.seat, row.cost_usd) for row in result.usage.calls if row.stage == "panelist"]
    assert billed == [("one", 0.1), ("three", None)]


async def test_solo_asks_one_model_and_nobody_else(provider):
    result = await afuse(QUESTION, panel("test/one", "test/two", strategy="solo"))
    assert provider.counts == {"test/one": 1}
    assert (result.status, result.analysis, result.degraded) == ("ok", None, [])
    assert (result.answer, result.plan.seats) == ("The scripted answer of test/one.", ["one"])
    assert (result.timing.judge_seconds, result.timing.synthesis_seconds) == (None, None)


async def test_one_usable_answer_alone_is_not_compared(provider):
    provider.reply("test/two", faults.unauthorized())
    result = await afuse(QUESTION, panel("test/one", "test/two"))
    assert JUDGE not in provider.counts
    assert (result.status, result.analysis, result.degraded) == ("ok", None, ["panel_reduced"])


async def test_the_same_model_twice_is_two_seats_and_their_labels_tell_them_apart(provider):
    provider.reply("test/one", "The first says 1861.", "The second says 1871.")
    result = await afuse(QUESTION, panel("test/one", "test/one"))
    assert [one.seat for one in result.responses] == ["one", "one-2"]
    stances = result.analysis.contradictions[0].stances
    assert {stance.model for stance in stances} == {"one", "one-2"}


LOST = [
    pytest.param(faults.unauthorized(), "auth", 401, id="401"),
    pytest.param(faults.no_credit(), "budget", 402, id="402"),
    pytest.param(faults.flagged(), "refused", 403, id="moderation"),
    pytest.param(faults.withdrawn("test/two"), "model_unavailable", 404, id="withdrawn"),
    pytest.param(faults.context_overflow("openrouter"), "context_overflow", 400, id="too long"),
    pytest.param(faults.rate_limited(0), "rate_limited", 429, id="429 to the end"),
    pytest.param(faults.overloaded(0), "upstream_error", 503, id="503 to the end"),
    pytest.param(Reply(""), "empty", None, id="empty"),
    pytest.param(Reply("<think>Hm.</think>"), "empty", None, id="nothing but reasoning"),
    pytest.param(Reply("", refusal="No."), "refused", None, id="refused"),
    pytest.param(Reply("", finish_reason="length"), "truncated", None, id="cut before it began"),
    pytest.param(Reply("x", finish_reason="content_filter"), "refused", None, id="filtered"),
    pytest.param(faults.html(), "upstream_error", None, id="HTML"),
    pytest.param(faults.garbage(), "upstream_error", None, id="half a JSON object"),
    pytest.param(faults.no_choices(), "empty", None, id="no choices"),
    pytest.param(Interrupted(code=400), "upstream_error", 400, id="an error under status 200"),
    pytest.param(Raw(b"", status=400), "upstream_error", 400, id="a bare 400"),
]


@pytest.mark.parametrize(("reply", "reason", "status"), LOST)
async def test_a_lost_seat_is_a_row_with_a_reason_and_the_others_answer(provider, reply, reason, status):
    provider.reply("test/two", reply)
    result = await afuse(QUESTION, panel("test/one", "test/two", "test/three"))
    (lost,) = result.failed_models
    assert (lost.seat, lost.model, lost.reason, lost.status_code) == ("two", "openrouter:test/two", reason, status)
    assert lost.message
    assert "\n" not in lost.message
    assert [one.seat for one in result.responses] == ["one", "three"]
    assert (result.status, result.degraded) == ("ok", ["panel_reduced"])


async def test_a_cut_off_answer_is_kept_and_marked(provider):
    provider.reply("test/two", Reply("The mill was built in", finish_reason="length"))
    result = await afuse(QUESTION, panel("test/one", "test/two"))
    assert [one.content for one in result.responses][1] == "The mill was built in"
    assert [(row.seat, row.reason) for row in result.failed_models] == [("two", "truncated")]
    assert result.degraded == ["panel_reduced"]


async def test_leaked_reasoning_is_stripped(provider):
    provider.reply("test/one", "<think>They want a year.</think>\n\n1861.")
    result = await afuse(QUESTION, panel("test/one", strategy="solo"))
    assert (result.answer, result.responses[0].content) == ("1861.", "1861.")


async def test_a_failed_panel_lists_every_seats_reason_and_the_bill(provider):
    provider.reply("test/one", faults.unauthorized())
    provider.reply("test/two", Reply("", cost=0.2))
    with pytest.raises(PanelFailed) as failure:
        await afuse(QUESTION, panel("test/one", "test/two"))
    rows = {row["seat"]: row["reason"] for row in failure.value.failed_models}
    assert rows == {"one": "auth", "two": "empty"}
    assert failure.value.usage["cost_usd"] == pytest.approx(0.2)
    assert "one auth" in str(failure.value)
    assert "two empty" in str(failure.value)


async def test_fewer_answers_than_wanted_fail_although_one_was_usable(provider):
    provider.reply("test/two", faults.unauthorized())
    with pytest.raises(PanelFailed) as failure:
        await afuse(QUESTION, panel("test/one", "test/two", limits={"min_answers": 2}))
    assert [row["seat"] for row in failure.value.failed_models] == ["two"]
    assert JUDGE not in provider.counts


async def test_whatever_a_model_raises_stays_in_its_seat():
    broken = ScriptedChat(replies=[ZeroDivisionError("a bug of its own")], model_name="broken")
    result = await afuse(QUESTION, panel("test/one").model_copy(update={"panel": panel_of("test/one", broken)}))
    (lost,) = result.failed_models
    assert (lost.seat, lost.reason, lost.message) == ("broken", "upstream_error", "a bug of its own")
    assert result.answer


async def test_a_broken_connection_is_a_lost_seat(provider):
    provider.reply("test/two", Cut(after=1))
    result = await afuse(QUESTION, panel("test/one", "test/two", limits={"seconds": 4}))
    assert [(row.seat, row.reason) for row in result.failed_models] == [("two", "upstream_error")]


async def test_messages_in_give_the_answer_as_a_message():
    graph = build_graph(panel("test/one", "test/two"))
    state = await graph.ainvoke({"messages": [HumanMessage(QUESTION)]})
    assert isinstance(state["messages"][-1], AIMessage)
    assert state["messages"][-1].content == "It was built in 1861."
    assert state["result"]["question"] == QUESTION


async def test_a_question_in_gives_no_messages():
    state = await build_graph(panel("test/one", "test/two")).ainvoke({"question": QUESTION})
    assert set(state) == {"result"} or state["messages"] == []


async def test_of_messages_the_last_human_one_is_the_question_and_the_rest_is_context(provider):
    history = [HumanMessage("We speak of the Alder valley."), AIMessage("Noted."), HumanMessage(QUESTION)]
    state = await build_graph(panel("test/one", "test/two")).ainvoke({"messages": history})
    assert state["result"]["question"] == QUESTION
    for model in ("test/one", "test/two", WRITER):
        (request,) = provider.calls(model)
        assert "human: We speak of the Alder valley.\n\nai: Noted." in request.prompt


async def test_context_reaches_the_seats_and_the_writer(provider):
    await afuse(QUESTION, panel("test/one", "test/two"), context="It stands in Wexmoor.")
    for model in ("test/one", "test/two", WRITER):
        assert "It stands in Wexmoor." in provider.calls(model)[0].prompt


@pytest.mark.parametrize("checkpointer", [None, MemorySaver()])
async def test_two_runs_of_one_graph_have_nothing_in_common(checkpointer):
    graph = build_graph(panel("test/one", "test/two"), checkpointer=checkpointer)
    on = {"configurable": {"thread_id": "t"}}
    first, second = [(await graph.ainvoke({"question": asked}, on))["result"] for asked in ("First?", "Second?")]
    assert (first["question"], second["question"]) == ("First?", "Second?")
    assert len(second["responses"]) == 2
    assert len(second["usage"]["calls"]) == 4
    assert first["run_id"] != second["run_id"]


def panel_of(*models):
    """Seats of the scripted OpenRouter, and models as objects, side by side."""
    named = [f"openrouter:{model}" if isinstance(model, str) else model for model in models]
    return tuple(Panelist(model=model) for model in named)


@pytest.mark.parametrize("seats", [("ONE", "TWO"), ("ONE",)])
async def test_instructions_reach_the_writer_alone(seats):
    config = fake_config(*seats, answer="Respondeo.", strategy="panel" if len(seats) > 1 else "solo")
    result = await afuse("How old is it?", config, instructions="Answer in Latin.")
    assert result.answer == "Respondeo."
    assert "Answer in Latin." in str(config.synthesizer.model.prompts)
    assert "Answer in Latin." not in str([seat.model.prompts for seat in config.panel])


async def test_documents_that_cannot_be_indexed_end_a_run_before_anything_is_asked(provider, tmp_path, monkeypatch):
    (tmp_path / "good.md").write_text("It was built in 1861.")
    monkeypatch.setattr("fusion_tool.tools.documents.refresh.list_documents", lambda _: {}[""])
    with pytest.raises(ConfigError, match="cannot index ") as caught:
        await afuse(QUESTION, panel("test/one", "test/two"), documents=tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert provider.requests == []


@pytest.mark.skipif(os.name != "posix", reason="needs links")
async def test_documents_behind_a_link_without_a_suffix_are_read(provider, tmp_path):
    (tmp_path / "bare").write_text("The mill was built in 1861.")
    (tmp_path / "mill.md").symlink_to("bare")
    provider.reply("test/one", Reply(tool_calls=[ToolCall("search_documents", {"query": "mill built"})]))
    result = await afuse(QUESTION, panel("test/one", "test/two"), documents=tmp_path)
    assert [source.title for source in result.sources] == ["mill.md"]
