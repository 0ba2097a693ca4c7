"""The comparison: how it is asked for, what garbage costs, and what the judge never learns."""

import json
import re

import pytest

from fusion_tool import afuse
from fusion_tool.grounding.sources import source_id
from tests.integration.panel import ANALYSIS, JUDGE, QUESTION, WRITER, cite, fenced, nonce, panel, text, verdict
from tests.scripted_server import Reply, ToolCall, faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two", "test/three")


@pytest.fixture(autouse=True)
def written(provider):
    provider.reply(WRITER, "It was built in 1861.")
    provider.reply(JUDGE, verdict())


async def test_it_is_asked_for_a_schema_that_knows_only_the_answers_letters(provider):
    await afuse(QUESTION, panel(*SEATS))
    (request,) = provider.calls(JUDGE)
    wanted = request.body["response_format"]
    assert (wanted["type"], wanted["json_schema"]["strict"]) == ("json_schema", True)
    assert '"enum": ["A", "B", "C"]' in json.dumps(wanted)
    assert "tools" not in request.body


async def test_the_panels_names_are_put_back_everywhere(provider):
    provider.reply("test/one", "ONE")
    provider.reply("test/two", "TWO")
    analysis = (await afuse(QUESTION, panel("test/one", "test/two"))).analysis
    (request,) = provider.calls(JUDGE)
    of = {letter: f"openrouter:test/{said.lower()}" for letter, said in zip("AB", fenced(request), strict=True)}
    assert [(s.model, s.stance) for s in analysis.contradictions[0].stances] == [(of["A"], "1861"), (of["B"], "1871")]
    assert analysis.partial_coverage[0].models == [of["A"]]
    assert analysis.unique_insights[0].model_dump() == {
        "model": of["B"],
        "insight": f"{of['B']} alone names the owner.",
    }
    assert (analysis.consensus, analysis.blind_spots) == (["The mill is old."], ["Who built it."])


MODES = [
    pytest.param([], ["response_format"], id="a schema"),
    pytest.param(["response_format"], ["response_format", "tools"], id="a function where it refuses the schema"),
    pytest.param(["response_format", "tools"], ["response_format", "tools", "prose"], id="prose where it refuses both"),
]


@pytest.mark.parametrize(("refused", "asked"), MODES)
async def test_it_is_asked_in_the_strictest_way_that_its_endpoint_takes(provider, refused, asked):
    provider.refuse(JUDGE, *refused)
    function = Reply(tool_calls=[ToolCall("report_comparison", ANALYSIS)])
    prose = f"Here is the comparison:\n```json\n{verdict()}\n```\nI hope it helps."
    provider.reply(JUDGE, lambda request: function if request.tools else prose)
    result = await afuse(QUESTION, panel(*SEATS))
    modes = [next((m for m in ("response_format", "tools") if m in r.body), "prose") for r in provider.calls(JUDGE)]
    assert modes == asked
    assert (result.status, result.analysis.consensus) == ("ok", ["The mill is old."])


async def test_a_forced_function_call_names_the_function(provider):
    provider.refuse(JUDGE, "response_format")
    provider.reply(JUDGE, Reply(tool_calls=[ToolCall("report_comparison", ANALYSIS)]))
    await afuse(QUESTION, panel(*SEATS))
    assert provider.calls(JUDGE)[-1].body["tool_choice"] == {
        "type": "function",
        "function": {"name": "report_comparison"},
    }


TOLERATED = [
    pytest.param(f"```json\n{verdict()}\n```", id="in a code fence"),
    pytest.param(f"Sure!\n\n{verdict()}\n\nAnything else?", id="prose around it"),
    pytest.param(verdict()[:-1] + ",}", id="a trailing comma"),
    pytest.param(f"<think>{{hm}}</think>{verdict()}", id="reasoning before it"),
    pytest.param(json.dumps({"consensus": ["The mill is old."]}), id="the other lists left out"),
    pytest.param(json.dumps(ANALYSIS | {"confidence": 0.9}), id="a field of its own"),
    pytest.param(verdict()[:-1], id="without its last brace"),
    pytest.param(f"{verdict(consensus=['A draft.'])}\n\nFinal:\n{verdict()}", id="a draft before it"),
]


@pytest.mark.parametrize("reply", TOLERATED)
async def test_a_reply_that_can_be_read_is_read_without_asking_again(provider, reply):
    provider.reply(JUDGE, reply)
    result = await afuse(QUESTION, panel(*SEATS))
    assert result.analysis.consensus == ["The mill is old."]
    assert (provider.counts[JUDGE], result.degraded) == (1, [])


CUT = [
    pytest.param(verdict()[: verdict().index("partial_coverage") - 3], None, id="after a list"),
    pytest.param(verdict()[: verdict().index("burned")], None, id="in a sentence"),
    pytest.param(verdict()[: verdict().index("burned")], "length", id="at the token limit"),
]


@pytest.mark.parametrize(("reply", "reason"), CUT)
async def test_a_reply_that_breaks_off_is_kept_as_far_as_it_goes_and_marked(provider, reply, reason):
    provider.reply(JUDGE, Reply(reply, finish_reason=reason))
    result = await afuse(QUESTION, panel(*SEATS))
    assert (result.analysis.consensus, result.analysis.partial_coverage) == (["The mill is old."], [])
    assert (provider.counts[JUDGE], result.status, result.degraded) == (1, "partial", ["analysis_truncated"])


@pytest.mark.parametrize(("reply", "reason"), CUT)
async def test_it_makes_way_for_a_whole_one(provider, reply, reason):
    provider.reply(JUDGE, Reply(reply, finish_reason=reason))
    provider.reply("test/second-judge", verdict())
    judge = {"model": f"openrouter:{JUDGE}", "fallbacks": ["openrouter:test/second-judge"]}
    result = await afuse(QUESTION, panel(*SEATS, judge=judge))
    assert result.analysis.blind_spots == ["Who built it."]
    assert result.status == "ok"


GARBAGE = [
    pytest.param("They mostly agree.", "no JSON object", id="prose"),
    pytest.param("[]", "no JSON object", id="a list"),
    pytest.param('{"verdict": "A wins"}', "no JSON object", id="another shape"),
    pytest.param('{"contradictions": [{"subject": "year"}]}', "contradictions", id="rows without their fields"),
]


@pytest.mark.parametrize(("garbage", "complaint"), GARBAGE)
async def test_garbage_is_sent_back_once_with_what_is_wrong_with_it(provider, garbage, complaint):
    provider.reply(JUDGE, garbage, verdict())
    result = await afuse(QUESTION, panel(*SEATS))
    first, second = provider.calls(JUDGE)
    assert [message["role"] for message in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[2]["content"] == garbage
    assert complaint in second.last
    assert '"unique_insights"' in second.last
    assert second.messages[:2] == first.messages
    assert (result.status, result.analysis.consensus) == ("ok", ["The mill is old."])
    assert [row.stage for row in result.usage.calls].count("judge") == 2


async def test_garbage_twice_goes_to_the_fallback(provider):
    provider.reply(JUDGE, "They agree.")
    provider.reply("test/second-judge", verdict())
    judge = {"model": f"openrouter:{JUDGE}", "fallbacks": ["openrouter:test/second-judge"]}
    result = await afuse(QUESTION, panel(*SEATS, judge=judge))
    assert (provider.counts[JUDGE], provider.counts["test/second-judge"]) == (2, 1)
    assert (result.status, result.degraded) == ("ok", ["judge_replaced"])
    assert result.analysis.consensus == ["The mill is old."]


LOST = [
    pytest.param("They agree.", id="garbage to the end"),
    pytest.param(faults.unauthorized(), id="401"),
    pytest.param(faults.withdrawn(JUDGE), id="withdrawn"),
    pytest.param(faults.context_overflow(), id="too long"),
    pytest.param(Reply(""), id="empty"),
    pytest.param(Reply("", refusal="No."), id="refused"),
    pytest.param(faults.html(), id="HTML"),
]


@pytest.mark.parametrize("reply", LOST)
async def test_no_analysis_still_leaves_an_answer(provider, reply):
    provider.reply(JUDGE, reply)
    result = await afuse(QUESTION, panel(*SEATS))
    assert (result.status, result.degraded) == ("partial", ["analysis_unavailable"])
    assert (result.answer, result.analysis) == ("It was built in 1861.", None)
    assert len(result.responses) == 3
    assert "There is none." in provider.calls(WRITER)[0].prompt


STRANGE = [
    "null",
    "0",
    '"text"',
    '[[[{"consensus": [[]]}]]]',
    '{"consensus": {"a": [1, {"b": null}]}, "contradictions": 7, "unique_insights": {"A": {"B": []}}}',
    '{"consensus": ["\\ud800"], "blind_spots": "\\ud800"}',
    '{"contradictions": [{"topic": 1e400, "stances": {"A": null, "": [3]}}]}',
    '{"consensus":' * 3000,
    "{'consensus': " + "[" * 3000,
]


@pytest.mark.parametrize("reply", STRANGE)
async def test_the_strangest_json_costs_the_analysis_at_most(provider, reply):
    provider.reply(JUDGE, reply)
    result = await afuse(QUESTION, panel(*SEATS))
    assert result.answer == "It was built in 1861."
    assert result.analysis is not None or result.degraded == ["analysis_unavailable"]


async def test_half_a_point_is_no_point(provider):
    """A reply that was cut off in the middle of a sentence must not hand the sentence's half on as consensus."""
    reply = verdict(consensus=["The mill is old.", "The mill was built in 1861."])
    provider.reply(JUDGE, Reply(reply[: reply.index("1861")], finish_reason="length"))
    result = await afuse(QUESTION, panel(*SEATS))
    assert "The mill was built in" not in (result.analysis.consensus if result.analysis else [])


async def test_it_learns_neither_models_nor_seats(provider):
    config = panel("secretlab/alpha-9", "secretlab/beta-9")
    seats = [config.panel[0].model_copy(update={"seat": "lefthand"}), config.panel[1]]
    await afuse(QUESTION, config.model_copy(update={"panel": tuple(seats)}))
    provider.reply("secretlab/alpha-9", "1861.")
    (request,) = provider.calls(JUDGE)
    shown = request.prompt.replace("The scripted answer of secretlab/alpha-9.", "").replace(
        "The scripted answer of secretlab/beta-9.", ""
    )
    for name in ("secretlab", "alpha-9", "beta-9", "lefthand", "openrouter"):
        assert name not in shown


async def test_the_answers_order_does_not_follow_the_panels(provider):
    """Six answers keep the panel's order once in 720 runs, twice in a row once in half a million."""
    models = [f"test/m{n}" for n in range(6)]
    for model in models:
        provider.reply(model, model)
    for _ in range(2):
        await afuse(QUESTION, panel(*models))
    orders = [fenced(request) for request in provider.calls(JUDGE)]
    assert [sorted(order) for order in orders] == [models, models]
    assert orders != [models, models]


async def test_reordering_the_panel_reorders_nothing_for_the_judge(provider, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda _: "0123456789ab")
    for model in SEATS:
        provider.reply(model, model)
    await afuse(QUESTION, panel(*SEATS))
    await afuse(QUESTION, panel(*reversed(SEATS)))
    first, second = provider.calls(JUDGE)
    assert fenced(first) == fenced(second)


async def test_every_run_has_fences_of_its_own(provider):
    for _ in range(2):
        await afuse(QUESTION, panel(*SEATS))
    first, second = (nonce(request) for request in provider.calls(JUDGE))
    assert first != second
    assert len(first) >= 12


async def test_it_is_told_how_each_answers_citations_hold(provider, internet):
    internet.page("/mill", text("The Alder mill was built in 1861."))
    url = internet.url("/mill")
    read = Reply(tool_calls=[ToolCall("fetch_page", {"url": url})])
    provider.reply("test/one", read, f"The Alder mill was built in 1861 {cite(url)}.")
    provider.reply("test/two", "The Alder mill was built in 1871 [deadbeef].")
    result = await afuse(QUESTION, panel("test/one", "test/two", internet=internet))
    (request,) = provider.calls(JUDGE)
    assert "1 supported, 0 weak, 0 mismatch, 0 invented" in request.prompt
    assert "0 supported, 0 weak, 0 mismatch, 1 invented" in request.prompt
    audits = {one.seat: one.audit.model_dump(exclude_defaults=True) for one in result.responses}
    assert audits == {"one": {"supported": 1}, "two": {"unknown": 1}}
    assert [one.id for one in result.sources] == [source_id(url)]


async def test_it_reads_flagged_sentences_with_their_passages_and_lists_what_they_do_not_carry(provider, internet):
    internet.page("/mill", text("The Alder mill was built in 1861."))
    read = Reply(tool_calls=[ToolCall("fetch_page", {"url": internet.url("/mill")})])
    provider.reply("test/one", read, f"The Alder mill was built in 1861 {cite(internet.url('/mill'))}.")
    provider.reply("test/two", read, f"The Alder mill was built in 1871 {cite(internet.url('/mill'))}.")

    def find(request):
        letter = re.search(r"\n- (\w), mismatch: The Alder mill was built in 1871", request.prompt)
        claim = {
            "model": letter[1],
            "claim": "Built in 1871.",
            "why": f"Answer {letter[1]} cites a page that says 1861.",
        }
        return verdict(unsupported_claims=[claim])

    provider.reply(JUDGE, find)
    result = await afuse(QUESTION, panel("test/one", "test/two", internet=internet))
    (request,) = provider.calls(JUDGE)
    assert request.prompt.count('Its source: "The Alder mill was built in 1861."') == 1
    two = "openrouter:test/two"
    assert [row.model_dump() for row in result.analysis.unsupported_claims] == [
        {"model": two, "claim": "Built in 1871.", "why": f"{two} cites a page that says 1861."}
    ]
    (writer,) = provider.calls(WRITER)
    assert "lists under unsupported_claims" in writer.prompt
    assert "Built in 1871." in fenced(writer)[-1]
    assert "begin flagged" not in writer.prompt


async def test_a_small_judge_may_only_choose_among_the_flagged(provider, internet):
    internet.page("/mill", text("The Alder mill was built in 1861."))
    read = Reply(tool_calls=[ToolCall("fetch_page", {"url": internet.url("/mill")})])
    for model, year in (("test/one", 1861), ("test/two", 1871)):
        provider.reply(model, read, f"The Alder mill was built in {year} {cite(internet.url('/mill'))}.")
    judge = {"model": f"openrouter:{JUDGE}", "max_input_tokens": 2000}
    await afuse(QUESTION, panel("test/one", "test/two", internet=internet, judge=judge))
    (request,) = provider.calls(JUDGE)
    wanted = request.body["response_format"]["json_schema"]["schema"]["properties"]["unsupported_claims"]["items"]
    assert wanted["properties"]["claim"]["enum"] == ["The Alder mill was built in 1871."]
    assert "The Alder mill was built in 1871. Source: The Alder mill was built in 1861." in request.prompt


async def test_it_has_no_tools(provider, internet):
    await afuse(QUESTION, panel(*SEATS, internet=internet))
    assert [request.tools for model in (JUDGE, WRITER) for request in provider.calls(model)] == [[], []]


async def test_an_answer_that_was_cut_off_is_shown_as_one(provider):
    provider.reply("test/one", Reply("The mill was", finish_reason="length"))
    await afuse(QUESTION, panel(*SEATS))
    assert provider.calls(JUDGE)[0].prompt.count("This answer was cut off.") == 1


async def test_by_default_the_panels_first_model_judges_and_writes(provider):
    provider.reply("test/one", "1861.", verdict(), "It was 1861.")
    result = await afuse(QUESTION, panel("test/one", "test/two", judge=None, synthesizer=None))
    assert provider.counts == {"test/one": 3, "test/two": 1}
    assert (result.answer, result.status) == ("It was 1861.", "ok")
