"""The second reader: what it is shown, what of its reply counts, and what its failures cost."""

import json
import re

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from fusion_tool import FusionResult, afuse, astream, build_graph
from fusion_tool.errors import ConfigError
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, panel, text, verdict
from tests.scripted_server import Reply, ToolCall, Usage, faults

pytestmark = pytest.mark.loopback

READER = "test/reader"
MILL = "The Alder mill was built in 1861 by Ida Holm."
SENTENCES = ("The Alder mill was built in 1861", "Ida Holm sold the Alder mill in 1903")


@pytest.fixture(autouse=True)
def answer(provider, internet):
    """An answer of two cited sentences, of which the page carries one."""
    internet.page("/mill", text(MILL))
    url = internet.url("/mill")
    written = " ".join(f"{sentence} {cite(url)}." for sentence in SENTENCES)
    look = Reply(tool_calls=[ToolCall("fetch_page", {"url": url})])
    for model in ("test/one", "test/two"):
        provider.reply(model, lambda request: written if request.messages[-1]["role"] == "tool" else look)
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, written)
    return written


def rows(*found):
    """A reader's reply: id, verdict and quotation of each."""
    return json.dumps({"verdicts": [{"id": n, "verdict": said, "quote": quote} for n, said, quote in found]})


GOOD = rows((1, "supports", "built in 1861"), (2, "says nothing", ""))
READ = [("supports", "built in 1861"), ("says nothing", "")]


async def fuse(internet, **settings):
    settings = {"verify": f"openrouter:{READER}"} | settings
    return await afuse(QUESTION, panel("test/one", "test/two", internet=internet, **settings))


def read_by(result):
    """What was read of each occurrence, in the answer's order."""
    places = sorted((place for row in result.citations for place in row.occurrences), key=lambda place: place.start)
    return [place.verification and (place.verification.verdict, place.verification.quote) for place in places]


async def test_each_occurrence_gets_a_verdict_beside_the_audits(provider, internet):
    without = await fuse(internet, verify=False)
    provider.reply(READER, GOOD)
    result = await fuse(internet)
    assert read_by(without) == [None, None]
    assert read_by(result) == READ
    assert {place.verification.by for row in result.citations for place in row.occurrences} == {f"openrouter:{READER}"}
    supports = [[place.support for row in one.citations for place in row.occurrences] for one in (without, result)]
    assert supports[0] == supports[1]
    assert (result.status, result.degraded, result.answer) == ("ok", [], without.answer)
    assert [row.model for row in result.usage.calls if row.stage == "verifier"] == [f"openrouter:{READER}"]
    assert result.timing.verification_seconds is not None


async def test_it_sees_the_sentences_with_passages_and_no_names(provider, internet):
    provider.reply(READER, GOOD)
    await fuse(internet)
    (request,) = provider.calls(READER)
    assert re.findall(r"^Sentence: (.+)$", request.prompt, re.MULTILINE) == [f"{sentence} ." for sentence in SENTENCES]
    assert request.prompt.count("Passages: ") == 2
    assert MILL in request.prompt
    schema = request.body["response_format"]["json_schema"]["schema"]["properties"]["verdicts"]["items"]["properties"]
    assert (schema["id"]["enum"], schema["verdict"]["enum"]) == ([1, 2], ["supports", "contradicts", "says nothing"])


READ_ALL_THE_SAME = [
    pytest.param(f"Here it is:\n```json\n{GOOD}\n```", READ, id="in prose and a fence"),
    pytest.param(rows((2, "says nothing", "none"), (1, "Supports", '"BUILT  in\n1861"')), None, id="case and blanks"),
    pytest.param(json.dumps(json.loads(GOOD)["verdicts"]), READ, id="a bare list"),
    pytest.param(
        rows((1, "supports", "built in 1861"), (1, "supports", ""), (2, "says_nothing", "")), READ, id="twice"
    ),
    pytest.param(
        rows((1, "supports", "built in 1861"), (2, "says nothing", ""), (3, "supports", "x")), READ, id="more"
    ),
]


@pytest.mark.parametrize(("reply", "expected"), READ_ALL_THE_SAME)
async def test_what_says_the_same_is_read_as_the_same(provider, internet, reply, expected):
    provider.reply(READER, reply)
    result = await fuse(internet)
    assert [said for said, _ in read_by(result)] == ["supports", "says nothing"]
    assert expected in (None, read_by(result))
    assert (provider.counts[READER], result.status, result.degraded) == (1, "ok", [])


VOID = [
    pytest.param(rows((1, "supports", "built in 1871"), (2, "says nothing", "")), id="quotes what is not there"),
    pytest.param(rows((1, "supports", ""), (2, "says nothing", "")), id="quotes nothing"),
    pytest.param(
        rows((1, "supports", "built in 1861"), (1, "contradicts", "built in 1861"), (2, "says nothing", "")),
        id="contradicts itself",
    ),
    pytest.param(rows((2, "says nothing", "")), id="leaves one out"),
    pytest.param(rows((1, "perhaps", "built in 1861"), (2, "says nothing", "")), id="a verdict of its own"),
    pytest.param(rows((7, "supports", "built in 1861"), (2, "says nothing", "")), id="another id"),
]


@pytest.mark.parametrize("reply", VOID)
async def test_a_verdict_that_cannot_be_used_costs_itself_alone(provider, internet, reply):
    provider.reply(READER, reply)
    result = await fuse(internet)
    assert read_by(result) == [None, ("says nothing", "")]
    assert (result.status, result.degraded) == ("ok", ["verification_incomplete"])


LOST = [
    pytest.param("Both look fine to me.", "invalid_output", id="prose"),
    pytest.param('{"answer": "supports"}', "invalid_output", id="another shape"),
    pytest.param('{"verdicts": "all good"}', "invalid_output", id="no rows"),
    pytest.param(faults.unauthorized(), "auth", id="401"),
    pytest.param(Reply(""), "empty", id="empty"),
    pytest.param(Reply("", refusal="No."), "refused", id="refused"),
]


@pytest.mark.parametrize(("reply", "reason"), LOST)
async def test_a_reader_that_fails_costs_its_verdicts_alone(provider, internet, reply, reason):
    provider.reply(READER, reply)
    result = await fuse(internet)
    assert read_by(result) == [None, None]
    assert (result.status, result.degraded) == ("ok", ["verification_incomplete"])
    assert [(row.stage, row.model, row.reason) for row in result.failed_models] == [
        ("verifier", f"openrouter:{READER}", reason)
    ]


async def test_garbage_is_sent_back_once(provider, internet):
    provider.reply(READER, "Both look fine to me.", GOOD)
    result = await fuse(internet)
    assert read_by(result) == READ
    assert [row.stage for row in result.usage.calls].count("verifier") == 2
    assert "no JSON object with verdicts" in provider.calls(READER)[1].last


async def test_a_fallback_reads_where_the_reader_fails(provider, internet):
    provider.reply(READER, faults.unauthorized())
    provider.reply("test/second", GOOD)
    reader = {"model": f"openrouter:{READER}", "fallbacks": ["openrouter:test/second"]}
    result = await fuse(internet, verify=reader)
    assert read_by(result) == READ
    assert (result.status, result.degraded) == ("ok", ["verifier_replaced"])


async def test_a_reply_that_breaks_off_keeps_its_whole_rows(provider, internet):
    provider.reply(READER, Reply(GOOD[: GOOD.index('{"id": 2')], finish_reason="length"))
    result = await fuse(internet)
    assert read_by(result) == [READ[0], None]
    assert [(row.stage, row.reason) for row in result.failed_models] == [("verifier", "truncated")]
    assert (result.status, result.degraded) == ("ok", ["verification_incomplete"])


async def test_by_default_the_judges_model_reads(provider, internet):
    provider.reply(JUDGE, verdict(), GOOD)
    result = await fuse(internet, verify=True)
    assert read_by(result) == READ
    assert provider.counts[JUDGE] == 2


async def test_many_citations_go_in_batches_and_each_sentence_once(provider, internet):
    url = internet.url("/mill")
    written = " ".join(f"The Alder mill had {n} wheels {cite(url)}." for n in [*range(2, 15), 2])
    provider.reply(WRITER, written)
    provider.reply(
        READER, lambda request: rows(*((n + 1, "says nothing", "") for n in range(request.prompt.count("Sentence: "))))
    )
    result = await fuse(internet)
    assert sorted(request.prompt.count("Sentence: ") for request in provider.calls(READER)) == [3, 10]
    assert read_by(result) == [("says nothing", "")] * 14


async def test_an_answer_without_citations_asks_no_reader(provider, internet):
    provider.reply(WRITER, "Nobody knows.")
    result = await fuse(internet)
    assert READER not in provider.counts
    assert result.degraded == ["uncited"]


async def test_it_is_told_as_an_event(provider, internet):
    provider.reply(READER, rows((1, "supports", "built in 1861")))
    config = panel("test/one", "test/two", internet=internet, verify=f"openrouter:{READER}")
    events = [event async for event in astream(QUESTION, config)]
    assert [event["type"] for event in events][-2:] == ["verification.completed", "run.completed"]
    told = {name: value for name, value in events[-2].items() if name not in ("run_id", "t", "type")}
    assert told == {"model": f"openrouter:{READER}", "supports": 1, "contradicts": 0, "says_nothing": 0, "unread": 1}


async def test_a_remote_reader_sees_no_local_documents(tmp_path):
    (tmp_path / "mill.txt").write_text(MILL, "utf-8")
    config = panel("test/one", documents={"path": tmp_path, "send_to": "local"}).model_copy(
        update={
            "panel": (panel("x/y").panel[0].model_copy(update={"model": "ollama:qwen3:8b"}),),
            "judge": None,
            "synthesizer": None,
        }
    )
    with pytest.raises(ConfigError, match="documents") as raised:
        await afuse(QUESTION, config.model_copy(update={"verify": panel("test/reader").panel[0]}))
    assert raised.value.field == "verify"


async def test_a_banned_reader_gives_way_to_the_judges_model(provider, internet):
    provider.reply(JUDGE, verdict(), GOOD)
    result = await fuse(internet, deny=["test/reader"])
    assert READER not in provider.counts
    assert read_by(result) == READ
    assert "the judge's model verifies" in result.plan.reason


BOUNDS = [
    pytest.param(({"tokens": 60_000}, Usage(58_000, 1_000), 0.0, "budget"), id="no tokens left"),
    pytest.param(({"seconds": 2.0}, Usage(), 30.0, "timeout"), id="no time left"),
]


@pytest.mark.parametrize("bound", BOUNDS)
async def test_the_runs_limits_cost_its_verdicts_alone(provider, internet, answer, bound):
    limits, usage, delay, reason = bound
    provider.reply(WRITER, Reply(answer, usage=usage))
    provider.reply(READER, Reply(GOOD, delay=delay))
    result = await fuse(internet, limits=limits)
    assert read_by(result) == [None, None]
    assert (result.status, result.degraded) == ("ok", ["verification_incomplete"])
    assert [(row.stage, row.reason) for row in result.failed_models] == [("verifier", reason)]


async def test_a_run_that_died_at_the_reader_resumes_there(provider, internet, monkeypatch):
    provider.reply(READER, GOOD)
    config = panel("test/one", "test/two", internet=internet, verify=f"openrouter:{READER}")
    graph, thread = build_graph(config, checkpointer=InMemorySaver()), {"configurable": {"thread_id": "1"}}

    async def die(*_, **__):
        raise RuntimeError("out of memory")

    with monkeypatch.context() as dying:
        dying.setattr("fusion_tool.graph.nodes.ground.verify_citations", die)
        with pytest.raises(RuntimeError):
            await graph.ainvoke({"question": QUESTION}, thread)
    before = dict(provider.counts)
    state = await graph.ainvoke(None, thread)
    result = FusionResult.model_validate(state["result"])
    assert read_by(result) == READ
    assert provider.counts == before | {READER: 1}
    # It died before it had called anybody.
    assert [row.input_tokens is None for row in result.usage.calls if row.stage == "verifier"] == [False]
