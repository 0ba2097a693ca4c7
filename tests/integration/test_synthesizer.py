"""Who writes the answer, and who does when that fails."""

import json
import re

import pytest

from fusion_tool import ConfigError, FusionResult, afuse, build_graph
from fusion_tool.api.runner import run_request
from fusion_tool.graph.inputs import RunInput
from fusion_tool.testing import ScriptedChat, calls, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, fenced, panel, reads, text, verdict
from tests.scripted_server import Cut, Reply, Request, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two")


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")


def writer(*fallbacks: str) -> dict:
    return {"model": f"openrouter:{WRITER}", "fallbacks": [f"openrouter:{name}" for name in fallbacks]}


async def test_it_sees_the_raw_answers_the_comparison_and_the_question(provider):
    provider.reply("test/one", "ONE says 1861.")
    provider.reply("test/two", "TWO says 1871.")
    await afuse(QUESTION, panel(*SEATS))
    (request,) = provider.calls(WRITER)
    *answers, analysis = fenced(request)
    assert sorted(answers) == ["ONE says 1861.", "TWO says 1871."]
    assert '"stance": "1861"' in analysis
    assert QUESTION in request.prompt


async def test_what_the_comparison_calls_an_answer_is_what_the_answer_is_called(provider):
    """A comparison by names that stand over no answer tells the writer nothing about which answer said what."""
    await afuse(QUESTION, panel(*SEATS))
    (request,) = provider.calls(WRITER)
    compared = fenced(request)[-1]
    assert '"model": "A"' in compared
    assert "openrouter:test" not in compared


async def test_it_is_told_where_sources_give_different_figures(tmp_path):
    """Two notes differ about one figure: each seat cites one, and the writer sees both, each with its source."""
    (tmp_path / "log.md").write_text("The transfer of the archive took 14 hours.", "utf-8")
    (tmp_path / "memo.md").write_text("The transfer of the archive took 11 hours 20 minutes.", "utf-8")

    def says(figure):
        def answer(prompt):
            key = re.search(rf"source \[(\w{{8}})\][^\n]*\n[^\n]*took {figure}", prompt[-1].text)
            assert key, prompt[-1].text
            return f"The transfer of the archive took {figure} [{key[1]}]."

        return ScriptedChat(replies=[calls("search_documents", query="transfer archive"), answer], model_name=figure)

    writer = ScriptedChat(replies=["Written."], model_name="writer")
    panel = [says("14 hours"), says("11 hours 20 minutes")]
    await afuse("How long did the transfer take?", fake_config(panel=panel, synthesizer=writer, documents=tmp_path))
    (prompt,) = writer.prompts
    told = prompt[-1].text.partition("# Sources that differ")[2].partition("# Comparison")[0]
    assert len(re.findall(r"took (?:14 hours|11 hours 20 minutes)\. \[\w{8}\]", told)) == 2
    assert "give both figures" in told


async def test_it_is_told_where_the_source_that_nobody_cites_differs(tmp_path):
    (tmp_path / "log.md").write_text("The transfer of the archive took 14 hours.", "utf-8")
    (tmp_path / "memo.md").write_text("The transfer of the archive took 11 hours 20 minutes.", "utf-8")
    seats = [
        ScriptedChat(replies=[calls("search_documents", query="transfer archive"), "14 hours."], model_name=name)
        for name in ("one", "two")
    ]
    writer = ScriptedChat(replies=["Written."], model_name="writer")
    await afuse(
        "How long did the archive's transfer take?", fake_config(panel=seats, synthesizer=writer, documents=tmp_path)
    )
    told = writer.prompts[0][-1].text.partition("# Sources that differ")[2].partition("# Comparison")[0]
    assert ("took 14 hours." in told, "took 11 hours 20 minutes." in told) == (True, True)


FIRST, SECOND = "The transfer of the archive took 14 hours.", "The transfer of the archive took 11 hours 20 minutes."
BOTH = [(FIRST, 1), (SECOND, 2)]
DISPUTED = [
    pytest.param([BOTH], [], id="both at once"),
    pytest.param([[(FIRST, 1)], [(SECOND, 1)]], [], id="one, then the other"),
    pytest.param([[(FIRST, 1), (FIRST, 2)], [(SECOND, 1)]], [], id="one from both, then the other"),
    pytest.param([[(FIRST, 1)], [(FIRST, 1)]], ["answer_spoiled"], id="one, twice"),
]


@pytest.mark.parametrize(("replies", "marks"), DISPUTED)
async def test_a_small_writer_makes_claims_from_both_sources(provider, tmp_path, replies, marks):
    (tmp_path / "log.md").write_text("The transfer of the archive took 14 hours.", "utf-8")
    (tmp_path / "memo.md").write_text("The transfer of the archive took 11 hours 20 minutes.", "utf-8")
    written = [json.dumps({"claims": [{"text": text, "source": n} for text, n in reply]}) for reply in replies]
    provider.reply("test/one", json.dumps({"claims": [{"text": FIRST, "source": 1}]}))
    provider.reply(WRITER, *written)
    small = [{"model": f"openrouter:{name}", "max_input_tokens": 2048} for name in ("test/one", WRITER)]
    config = panel("test/one", documents=tmp_path)
    config = config.model_validate(config.model_dump() | {"panel": [small[0]] * 2, "synthesizer": small[1]})
    result = await afuse("How long did the archive's transfer take?", config)
    request, *again = provider.calls(WRITER)
    assert f"[1] {FIRST}" in request.last
    assert f"[2] {SECOND}" in request.last
    assert "The sources differ: give each figure" in request.last
    assert [f"[1] {SECOND}" in other.last and FIRST not in other.last for other in again] == [True] * (len(replies) - 1)
    assert [text in result.answer for text in (FIRST, SECOND)] == [True, not marks]
    assert (result.degraded, {row.support for row in result.citations} == {"supported"}) == (marks, not marks)


LOST = [
    pytest.param(faults.unauthorized(), id="401"),
    pytest.param(faults.context_overflow(), id="too long"),
    pytest.param(Reply(""), id="empty"),
    pytest.param(Reply("<think>What now?"), id="reasoning without an end"),
    pytest.param(Reply("", refusal="No."), id="refused"),
    pytest.param(faults.html(), id="HTML"),
]


@pytest.mark.parametrize("reply", LOST)
async def test_its_fallback_writes_where_it_fails(provider, reply):
    provider.reply(WRITER, reply)
    provider.reply("test/second", "The second writer says 1861.")
    result = await afuse(QUESTION, panel(*SEATS, synthesizer=writer("test/first-down", "test/second")))
    assert result.answer == "The scripted answer of test/first-down."
    assert (result.status, result.degraded) == ("ok", ["synthesizer_replaced"])
    assert "test/second" not in provider.counts


async def test_then_the_judges_model_writes(provider):
    provider.reply(WRITER, faults.unauthorized())
    provider.reply("test/second", faults.unauthorized())
    provider.reply(JUDGE, verdict(), "The judge writes 1861.")
    result = await afuse(QUESTION, panel(*SEATS, synthesizer=writer("test/second")))
    assert (result.answer, result.status, result.degraded) == ("The judge writes 1861.", "ok", ["synthesizer_replaced"])
    assert [row.model for row in result.usage.calls if row.stage == "synthesizer"] == [f"openrouter:{JUDGE}"]


async def test_at_last_the_panels_best_supported_answer_stands_in(provider, internet):
    internet.page("/mill", text("The Alder mill was built in 1861."))
    url = internet.url("/mill")
    provider.reply("test/one", reads(url), f"The Alder mill was built in 1999 {cite(url)}. " + "More words. " * 20)
    provider.reply("test/two", reads(url), f"The Alder mill was built in 1861 {cite(url)}.")
    provider.reply("test/three", reads(url), "The Alder mill was built in 1871 [deadbeef]. " + "More words. " * 20)
    provider.reply(WRITER, faults.unauthorized())
    provider.reply(JUDGE, verdict(), faults.unauthorized())
    result = await afuse(QUESTION, panel("test/one", "test/two", "test/three", internet=internet))
    assert result.answer == "The Alder mill was built in 1861 [1]."
    assert [one.support for one in result.citations] == ["supported"]
    assert (result.status, result.degraded) == ("partial", ["synthesis_unavailable"])
    assert result.analysis is not None


async def test_a_writer_that_was_cut_off_makes_way_for_one_that_was_not(provider):
    provider.reply(WRITER, Reply("It was built in", finish_reason="length"))
    result = await afuse(QUESTION, panel(*SEATS, synthesizer=writer("test/second")))
    assert (result.answer, result.status) == ("The scripted answer of test/second.", "ok")


async def test_a_cut_off_answer_is_kept_where_no_other_comes_and_is_seen_as_such(provider):
    provider.reply(WRITER, Reply("It was built in", finish_reason="length"))
    provider.reply(JUDGE, verdict(), faults.unauthorized())
    result = await afuse(QUESTION, panel(*SEATS))
    assert result.answer == "It was built in"
    assert (result.status, result.degraded) == ("partial", ["answer_truncated"])


async def test_an_answer_that_ends_where_the_caller_wants_is_written_once(provider):
    provider.reply(WRITER, Reply("It was built in", finish_reason="length"))
    config = panel(*SEATS, synthesizer=writer("test/second") | {"max_tokens": 900})
    result = FusionResult(**await run_request(RunInput(QUESTION, max_tokens=7), config))
    assert (result.answer, result.degraded, result.failed_models) == ("It was built in", ["answer_truncated"], [])
    assert provider.counts[WRITER] == 1
    assert "test/second" not in provider.counts


@pytest.mark.parametrize(
    ("own", "wish", "sent"), [(None, 7, 7), (900, 7, 7), (5, 7, 5), (5, None, 5), (None, None, None)]
)
async def test_a_callers_bound_never_lifts_the_writers_own(provider, own, wish, sent):
    config = panel(*SEATS, synthesizer=writer() | {"max_tokens": own})
    await run_request(RunInput(QUESTION, max_tokens=wish), config)
    assert [longest(request) for request in provider.calls(WRITER)] == [sent]
    assert {longest(request) for request in provider.requests if request.model != WRITER} == {None}


async def test_the_judges_model_that_writes_at_last_is_bounded_too(provider):
    provider.reply(WRITER, faults.unauthorized())
    provider.reply(JUDGE, verdict(), Reply("It was", finish_reason="length"))
    result = FusionResult(**await run_request(RunInput(QUESTION, max_tokens=7), panel(*SEATS)))
    assert [longest(request) for request in provider.calls(JUDGE)] == [None, 7]
    assert (result.answer, result.degraded) == ("It was", ["synthesizer_replaced", "answer_truncated"])


@pytest.mark.parametrize(
    ("wish", "answer"),
    [(3, "It was built"), (6, "It was built in 1861, as"), (50, "It was built in 1861, as we know.")],
)
async def test_an_answer_that_stands_is_cut(provider, wish, answer):
    provider.reply("test/one", "It was built in 1861, as we know.")
    config = panel(*SEATS, strategy="solo")
    result = FusionResult(**await run_request(RunInput(QUESTION, max_tokens=wish), config))
    assert result.answer == answer
    assert ("answer_truncated" in result.degraded) == (wish < 50)
    assert provider.counts == {"test/one": 1}


@pytest.mark.parametrize("wish", [0, -1, True, 1.5, "7"])
async def test_what_is_no_number_of_tokens_is_refused(wish):
    with pytest.raises(ConfigError, match="max_tokens: expected a whole number"):
        await run_request(RunInput(QUESTION, max_tokens=wish), panel(*SEATS))


def longest(request: Request) -> int | None:
    return request.body.get("max_tokens") or request.body.get("max_completion_tokens")


async def test_both_stages_may_be_lost_and_an_answer_remains(provider):
    provider.reply(WRITER, faults.unauthorized())
    provider.reply(JUDGE, faults.unauthorized())
    result = await afuse(QUESTION, panel(*SEATS))
    assert result.answer.startswith("The scripted answer of test/")
    assert (result.status, result.degraded) == ("partial", ["analysis_unavailable", "synthesis_unavailable"])


async def test_nobody_is_asked_twice(provider):
    """The judge's model is the writer's too: one failure is enough."""
    provider.reply(JUDGE, verdict(), faults.unauthorized())
    result = await afuse(QUESTION, panel(*SEATS, synthesizer=f"openrouter:{JUDGE}"))
    assert provider.counts[JUDGE] == 2
    assert result.degraded == ["synthesis_unavailable"]


async def test_an_answer_that_broke_off_is_no_answer(provider):
    provider.reply(WRITER, Cut(Reply("It was built in 1861, or so they say in town."), after=2))
    result = await afuse(QUESTION, panel(*SEATS, synthesizer=writer("test/second"), limits={"seconds": 8}))
    assert result.answer == "The scripted answer of test/second."


async def test_where_nobody_listens_nothing_is_streamed(provider):
    await afuse(QUESTION, panel(*SEATS))
    assert not [request for request in provider.requests if request.stream]


async def test_the_callers_wishes_reach_the_writer_and_nobody_else():
    config = fake_config("ONE", "TWO", answer="Written.")
    messages = [("system", "Answer in Latin."), ("human", "Old?"), ("ai", "Yes."), ("human", QUESTION)]
    state = await build_graph(config).ainvoke({"messages": messages})
    assert state["result"]["question"] == QUESTION
    texts = {name: str(model.prompts) for name, model in _models(config).items()}
    assert {name for name, text in texts.items() if "Answer in Latin." in text} == {"synthesizer"}
    assert "ai: Yes." in texts["seat"]


async def test_an_answer_is_written_to_a_schema_even_where_one_seat_is_asked_alone():
    config = fake_config("ONE", answer='{"year": 1861}', strategy="solo")
    schema = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}
    state = await build_graph(config).ainvoke({"question": QUESTION, "answer_schema": schema})
    assert state["result"]["answer"] == '{"year": 1861}'
    assert json.dumps(schema) in str(_models(config)["synthesizer"].prompts[0][-1].content)


def _models(config):
    return {"seat": config.panel[0].model, "judge": config.judge.model, "synthesizer": config.synthesizer.model}


async def test_the_deltas_of_a_json_answer_are_the_answer():
    config = fake_config("ONE", "TWO", answer='{"years": [1861], "text": "[deadbeef] Built."}')
    graph, deltas, result = build_graph(config), "", {}
    asked = {"question": QUESTION, "answer_schema": {"type": "object"}}
    async for event in graph.astream(asked, stream_mode="custom"):
        deltas += event["text"] if event["type"] == "synthesis.delta" else ""
        result = event.get("result", result)
    assert deltas == result["answer"] == '{"years": [1861], "text": "Built."}'
