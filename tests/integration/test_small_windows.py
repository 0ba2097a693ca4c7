"""What a seat reads is cut to its model's window; what is asked never is."""

import json
import re
from typing import Any

import pytest

from fusion_tool import PanelFailed, Panelist, afuse
from fusion_tool.models import capabilities
from fusion_tool.models.abilities import Abilities
from fusion_tool.testing import ScriptedChat, fake_config
from tests.integration.panel import ANALYSIS, JUDGE, QUESTION, cite, fenced, nonce, panel, reads, text
from tests.scripted_server import faults
from tests.scripted_server.web import Hit

pytestmark = pytest.mark.loopback

SEAT = "test/seat"
FACT = "The Alder mill was built in 1861."
LONG = " ".join(f"Sentence {n} tells of the weather in Brook Lane." for n in range(150))
PAGE = f"{LONG} {FACT} {LONG}"
CONTEXT = "Nobody knows the owner of the old house. " * 900


def seat(window: int | None = 4096, **fields: Any) -> tuple[Panelist]:
    return (Panelist(model=f"openrouter:{SEAT}", max_input_tokens=window, **fields),)


@pytest.fixture
def folder(tmp_path):
    """Eight long documents that all match the question."""
    for n in range(8):
        (tmp_path / f"{n}.md").write_text(f"Alder mill {n}. {PAGE}", "utf-8")
    return tmp_path


@pytest.mark.parametrize(("window", "count"), [(3000, 3), (32_768, 3), (200_000, 8), (None, 8)])
async def test_evidence_fits_the_window_and_is_few_where_that_is_small(provider, folder, window, count):
    provider.refuse(SEAT, "tools")
    provider.reply(SEAT, FACT)
    result = await afuse(QUESTION, panel(panel=seat(window), strategy="solo", documents=folder))
    told = provider.calls(SEAT)[-1].prompt
    assert told.count(" begin source ") == count
    assert len(told) <= (window or 200_000) * 3
    # Each source has its fair share, and of each the sentence that bears on the question.
    assert told.count(FACT) == count
    assert ("evidence_packed" in result.degraded) is (window == 3000)


async def test_a_model_on_this_machine_gets_few_sources(folder):
    model = ScriptedChat(replies=[FACT], model_name="seat", profile={"tool_calling": False})
    await afuse(QUESTION, fake_config(panel=[model], strategy="solo", documents=folder))
    assert model.prompts[0][-1].text.count(" begin source ") == 3


async def test_the_web_has_its_share_beside_the_documents(provider, folder, internet):
    internet.hits(*(Hit(internet.url(f"/{n}"), f"Page {n}", "a snippet") for n in range(4)))
    for n in range(4):
        internet.page(f"/{n}", text(f"Page {n}. {FACT}"))
    provider.refuse(SEAT, "tools")
    provider.reply(SEAT, FACT)
    await afuse(QUESTION, panel(panel=seat(8192), internet=internet, strategy="solo", documents=folder))
    told = provider.calls(SEAT)[-1].prompt
    assert told.count(" begin source ") == 5
    assert [cite(internet.url(f"/{n}")) in told for n in range(4)] == [True, True, False, False]


async def test_a_window_that_turns_out_too_small_gets_half_of_the_evidence(provider, folder):
    provider.refuse(SEAT, "tools")
    provider.reply(SEAT, faults.context_overflow(), FACT)
    result = await afuse(QUESTION, panel(panel=seat(200_000), strategy="solo", documents=folder))
    whole, half = (sum(map(len, fenced(call))) for call in provider.calls(SEAT)[-2:])
    assert whole / 3 < half <= whole / 2
    assert "evidence_packed" in result.degraded


async def test_what_is_asked_alone_is_refused_without_a_call_where_it_cannot_fit(provider, folder):
    with pytest.raises(PanelFailed) as failed:
        await afuse(QUESTION, panel(panel=seat(), strategy="solo", documents=folder), context=CONTEXT)
    (row,) = failed.value.failed_models
    assert (row["reason"], provider.calls(SEAT)) == ("context_overflow", [])
    assert "the model's window 4,096" in row["message"]


async def test_a_model_that_has_not_cited_is_asked_for_claims_within_its_window(provider, folder, monkeypatch):
    """More and longer than the smallest models': the judge of their number is the window."""
    monkeypatch.setattr(capabilities, "known_abilities", lambda _: Abilities(calls_tools=False, cites=False))
    provider.reply(SEAT, json.dumps({"claims": [{"text": FACT, "source": 1}]}))
    result = await afuse(
        QUESTION, panel(panel=seat(8192), strategy="solo", documents=folder), context="It stands in Brook Lane."
    )
    assert result.answer == f"- {FACT} [1]"
    (call,) = provider.calls(SEAT)
    claims = call.body["response_format"]["json_schema"]["schema"]["properties"]["claims"]
    assert (claims["maxItems"], claims["items"]["properties"]["source"]["enum"]) == (6, [0, 1, 2, 3])
    evidence, known = re.findall(r"<<<\w+ begin [^\n]*\n(.*?)\n\w+ end>>>", call.prompt, re.DOTALL)
    assert 3 * 1000 < len(evidence) <= 3 * 1330
    assert known == "It stands in Brook Lane."


@pytest.mark.parametrize("sources", [True, False])
async def test_the_smallest_model_too_sees_the_part_of_the_context_that_is_about_the_question(
    provider, folder, sources
):
    provider.reply(SEAT, json.dumps({"claims": [{"text": FACT, "source": 1}]}) if sources else FACT)
    known = "The mill stands in Brook Lane. " + "Nothing else is known of gardens. " * 200
    where = {"documents": folder} if sources else {}
    await afuse(QUESTION, panel(panel=seat(2048), strategy="solo", **where), context=known)
    told = provider.calls(SEAT)[-1].prompt
    assert "stands in Brook Lane" in told
    assert len(told) < 2 * 2048


async def test_that_no_source_answers_is_an_answer_of_its_own(provider, folder, monkeypatch):
    """Of seats, and of the writer, who is not asked where no seat makes a claim from a source."""
    monkeypatch.setattr(capabilities, "known_abilities", lambda _: Abilities(calls_tools=False, cites=False))
    silent = "The sources do not say who owned it."
    provider.reply(SEAT, json.dumps({"claims": [{"text": silent, "source": 0}]}))
    provider.reply(JUDGE, json.dumps(ANALYSIS))
    result = await afuse(QUESTION, panel(panel=seat(8192) * 2, synthesizer=seat(8192)[0], documents=folder))
    assert (result.answer, result.status, result.degraded) == (f"- {silent}", "partial", ["uncited"])
    assert len(provider.calls(SEAT)) == 2


async def test_a_writer_hears_that_others_found_no_answer(provider, folder, monkeypatch):
    monkeypatch.setattr(capabilities, "known_abilities", lambda _: Abilities(calls_tools=False, cites=False))
    silent = json.dumps({"claims": [{"text": "The sources do not say.", "source": 0}]})
    provider.reply(JUDGE, json.dumps(ANALYSIS))
    provider.reply(SEAT, silent, json.dumps({"claims": [{"text": FACT, "source": 1}]}), silent)
    result = await afuse(QUESTION, panel(panel=seat(8192) * 2, synthesizer=seat(8192)[0], documents=folder))
    assert "Others found no answer" in provider.calls(SEAT)[-1].last
    assert result.answer == "- The sources do not say."


async def test_a_model_that_is_asked_for_claims_runs_commands_first_if_it_calls_tools(provider, folder, monkeypatch):
    """Its own words on the output are not the answer; the output is a source among those that it may cite."""
    monkeypatch.setattr(capabilities, "known_abilities", lambda _: Abilities(calls_tools=True, cites=False))
    written = '```json\n{"name": "bash", "arguments": {"command": "expr 1861 + 43"}}\n```'
    claims = {"claims": [{"text": "The sum is 1904.", "source": 1}, {"text": FACT, "source": 2}]}
    provider.reply(SEAT, written, "It is 1904.", json.dumps(claims))
    settings = {"strategy": "solo", "documents": folder, "bash": "sandbox"}
    result = await afuse(QUESTION, panel(panel=seat(8192), **settings))
    assert [call.tools for call in provider.calls(SEAT)] == [["bash"], ["bash"], []]
    assert [source.kind for source in result.sources].count("command") == 1
    assert result.citations[0].url == "command:expr 1861 + 43"
    assert result.citations[1].url.startswith("doc:")


@pytest.fixture
def pages(internet):
    for n in range(3):
        internet.page(f"/{n}", text(f"Page {n}. {PAGE}"))
    return [internet.url(f"/{n}") for n in range(3)]


@pytest.mark.parametrize("replies", [[0, 1, 2], [(0, 1, 2)]], ids=["in turn", "at once"])
async def test_older_results_are_shortened_before_newer_ones(provider, internet, pages, replies):
    turns = [reads(*(pages[n] for n in (turn if isinstance(turn, tuple) else (turn,)))) for turn in replies]
    provider.reply(SEAT, *turns, f"{FACT[:-1]} {cite(pages[2])}.")
    result = await afuse(QUESTION, panel(panel=seat(16_384), internet=internet, strategy="solo"))
    last = provider.calls(SEAT)[-1]
    sizes = [len(result) for result in last.tool_results]
    assert len(last.prompt) <= 16_384 * 3
    assert sizes[0] <= sizes[1] <= sizes[2]
    assert sizes[0] < sizes[2]
    # Every fence that is opened is closed, and the sentence that bears on the question is the last to go.
    assert last.prompt.count(f"<<<{nonce(last)} begin") == last.prompt.count(f"{nonce(last)} end>>>") == 3
    assert FACT in last.tool_results[2]
    assert "evidence_packed" in result.degraded
    # The audit compares with the whole page, which was read.
    assert [one.support for one in result.citations] == ["supported"]


async def test_results_that_overflow_an_unknown_window_are_halved_once(provider, internet, pages):
    provider.reply(SEAT, reads(pages[0]), faults.context_overflow(), f"{FACT[:-1]} {cite(pages[0])}.")
    result = await afuse(QUESTION, panel(panel=seat(None), internet=internet, strategy="solo"))
    _, whole, half = provider.calls(SEAT)
    assert len(half.tool_results[0]) < len(whole.tool_results[0]) * 0.6
    assert (result.status, result.degraded) == ("ok", ["evidence_packed"])
