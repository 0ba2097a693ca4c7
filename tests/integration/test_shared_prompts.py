"""What comes first in a prompt is what seats, stages and runs share, so that a prompt cache serves."""

import re
from itertools import takewhile
from pathlib import Path

import pytest

from fusion_tool import Panelist, afuse
from fusion_tool.budget.pricing import cost_of
from tests.integration import recorded
from tests.integration.anthropic_server import anthropic, says
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, nonce, panel, reads, text, verdict
from tests.scripted_server import Reply, Usage
from tests.scripted_server.faults import http_error

pytestmark = pytest.mark.loopback

ONE, TWO = "test/one", "test/two"
MILL = "The Alder mill was built in 1861. It burned down in 1904."
CLAUDE = "anthropic/claude-opus-4.8"
LONG = [
    f"{said} " + "The valley had several mills, and the papers of most are lost. " * 40 for said in ("1861.", "1871.")
]


def rules(request) -> str:
    """The system message."""
    return str(request.messages[0]["content"])


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    (tmp_path / "mill.md").write_text(MILL, "utf-8")
    return tmp_path


async def test_two_runs_share_their_rules_to_the_last_line(provider, documents):
    for model in (ONE, TWO, WRITER):
        provider.reply(model, "The Alder mill was built in 1861.")
    provider.reply(JUDGE, verdict())
    for question in (QUESTION, "Who owned the mill in Brook Lane?"):
        await afuse(question, panel(ONE, TWO, documents=documents))
    for model in (ONE, JUDGE, WRITER):
        first, *_ = provider.calls(model)
        other = next(call for call in provider.calls(model) if nonce(call) != nonce(first))
        *lines, last = rules(first).splitlines(keepends=True)
        assert nonce(first) in last
        assert rules(other).startswith("".join(lines)), model


async def test_seats_over_the_same_evidence_share_all_of_their_prompt(provider, documents):
    seats = [Panelist(model=f"openrouter:{model}", max_input_tokens=8192) for model in (ONE, TWO)]
    for model in (ONE, TWO):
        provider.reply(model, "I do not look.", "Built in 1861.")
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "Built in 1861.")
    await afuse(QUESTION, panel(panel=tuple(seats), documents=documents))
    one, two = (provider.calls(model)[-1].prompt for model in (ONE, TWO))
    assert MILL in one
    assert one == two
    assert one.index(MILL) < one.index(QUESTION)


async def test_what_is_known_already_comes_after_the_evidence(provider, documents):
    """A chain's next seat gets the same evidence, and more that is known."""
    provider.reply(ONE, "I do not look.", "Built in 1861.")
    await afuse(QUESTION, panel(ONE, strategy="solo", documents=documents), context="It burned down.")
    prompt = provider.calls(ONE)[-1].prompt
    assert prompt.index(MILL) < prompt.index("What is already known") < prompt.index(QUESTION)


def common(one: str, other: str) -> str:
    """What both begin with."""
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def facts(answer: str) -> set[str]:
    """An answer's lines, figures and citations."""
    return {*filter(None, answer.splitlines()), *re.findall(r"[\w.,%$]*\d[\w.,%$]*|\[[0-9a-f]{8}\]", answer)}


def parts(body) -> list[dict]:
    """The marked blocks of a request."""
    contents = [message["content"] for message in body["messages"] if isinstance(message["content"], list)]
    return [part for content in contents for part in content if "cache_control" in part]


async def test_judge_and_writer_share_everything_up_to_their_tasks(provider, internet):
    """The answers in one order, under one nonce, with all that they say and cite."""
    internet.page("/mill", text(MILL))
    said = [f"The Alder mill was built in {year} {cite(internet.url('/mill'))}." for year in (1861, 1871)]
    for model, answer in zip((ONE, TWO), said, strict=True):
        provider.reply(model, reads(internet.url("/mill")), answer)
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, said[0])
    await afuse(QUESTION, panel(ONE, TWO, internet=internet), context="It burned down.")
    judge, writer = (provider.calls(model)[0].prompt for model in (JUDGE, WRITER))
    shared = common(judge, writer)
    assert all(fact in shared for answer in said for fact in facts(answer))
    assert QUESTION in shared
    assert not [task for task in ("You compare", "You write", "burned down.") if task in shared]


@pytest.mark.parametrize(
    ("judge", "writer", "marked", "session"),
    [
        (CLAUDE, CLAUDE, True, True),
        (f"~{CLAUDE}", f"~{CLAUDE}", True, True),
        (ONE, ONE, False, True),
        (CLAUDE, ONE, False, False),
        (ONE, CLAUDE, False, False),
    ],
)
async def test_a_repeated_beginning_is_marked_where_the_provider_wants_it(provider, judge, writer, marked, session):
    """Anthropic's are told where it ends, and OpenRouter to send both requests to one provider; nobody else is."""
    for model in {judge, writer}:
        provider.reply(model, verdict(), "1861.")
    await afuse(QUESTION, panel(TWO, "test/three", judge=f"openrouter:{judge}", synthesizer=f"openrouter:{writer}"))
    bodies = [call.body for model in dict.fromkeys((judge, writer)) for call in provider.calls(model)]
    assert [len(parts(body)) for body in bodies] == [int(marked)] * 2
    sessions = {body.get("session_id") for body in bodies}
    assert len(sessions) == 1
    assert (sessions != {None}) is session
    if marked:
        assert parts(bodies[0]) == parts(bodies[1])
    seats = [call.body for model in (TWO, "test/three") for call in provider.calls(model)]
    assert not [body for body in seats if parts(body) or "session_id" in body]


async def test_a_server_of_ones_own_is_sent_plain_text(provider):
    provider.reply(ONE, verdict(), "1861.")
    own = Panelist(model=ONE, base_url=provider.url)
    await afuse(QUESTION, panel(TWO, "test/three", judge=own, synthesizer=own))
    assert not [call for call in provider.calls(ONE) if parts(call.body) or "session_id" in call.body]


@pytest.mark.parametrize("answers", [LONG, ["1861.", "1871."]], ids=["long", "short"])
@pytest.mark.parametrize(
    ("model", "is_first"), [(CLAUDE, True), ("openai/gpt-5.5", True), ("deepseek/deepseek-v4-pro", False)]
)
async def test_no_schema_comes_before_what_a_cache_would_serve(provider, answers, model, is_first):
    """Where a schema stands before the messages it is left to the prompt, once that is long enough to be cached."""
    for seat, said in zip((ONE, TWO), answers, strict=True):
        provider.reply(seat, said)
    provider.reply(model, verdict(), "1861.")
    result = await afuse(QUESTION, panel(ONE, TWO, judge=f"openrouter:{model}", synthesizer=None))
    judge, _ = provider.calls(model)
    assert ("response_format" in judge.body) is not (is_first and answers is LONG)
    assert result.analysis is not None


async def test_an_endpoint_that_refuses_the_mark_is_asked_without_it(provider):
    refusal = http_error(400, "messages.1.content.0.cache_control: Extra inputs are not permitted")
    provider.on(lambda request: bool(parts(request.body)), refusal)
    model = "anthropic/claude-that-refuses"
    provider.reply(model, verdict(), "1861.", verdict(), "1861.")
    for _ in range(2):
        result = await afuse(QUESTION, panel(ONE, TWO, judge=f"openrouter:{model}", synthesizer=None))
        assert (result.status, result.degraded, result.failed_models) == ("ok", [], [])
    assert [len(parts(call.body)) for call in provider.calls(model)] == [1, 0, 0, 0, 0]


async def test_anthropics_own_client_marks_it_and_what_the_cache_served_is_billed_as_such(provider, monkeypatch):
    model = "anthropic:claude-opus-4-8"
    for seat, said in zip((ONE, TWO), LONG, strict=True):
        provider.reply(seat, said)
    with anthropic(monkeypatch, claude_opus_4_8=([says(verdict())], [says("1861.")])) as server:
        result = await afuse(QUESTION, panel(ONE, TWO, judge=model, synthesizer=None, allow_unpriced=True))
    assert [len(parts(body)) for body in server.requests] == [1, 1]
    judge, writer = (call for call in result.usage.calls if call.model == model)
    assert judge.cached_tokens == 0
    assert writer.cached_tokens > 1000
    tokens = {"input_tokens": judge.input_tokens, "output_tokens": judge.output_tokens}
    assert (
        judge.cost_usd == cost_of(model, **tokens, written_tokens=writer.cached_tokens)[0] > cost_of(model, **tokens)[0]
    )
    tokens = {"input_tokens": writer.input_tokens, "output_tokens": writer.output_tokens}
    assert (
        writer.cost_usd == cost_of(model, **tokens, cached_tokens=writer.cached_tokens)[0] < cost_of(model, **tokens)[0]
    )


async def test_the_bill_has_what_each_stages_cache_served(provider):
    for model, cached in ((ONE, 1), (TWO, 2), (JUDGE, 30), (WRITER, 40)):
        said = verdict() if model == JUDGE else "1861."
        provider.reply(model, Reply(said, usage=Usage(prompt=100, completion=10, cached=cached)))
    result = await afuse(QUESTION, panel(ONE, TWO))
    assert {call.model.removeprefix("openrouter:"): call.cached_tokens for call in result.usage.calls} == {
        ONE: 1,
        TWO: 2,
        JUDGE: 30,
        WRITER: 40,
    }


@pytest.mark.skipif(not recorded.FILE.exists(), reason=recorded.ABSENT)
async def test_recorded_panels_are_read_in_seven_tenths_of_the_tokens_and_lose_no_fact(provider):
    read = sent = 0
    for problem in recorded.problems(12):
        said = [answer.output for answer in problem.answers.values()][:3]
        for model, answer in zip((ONE, TWO, "test/three"), said, strict=True):
            provider.reply(model, answer)
        provider.reply(JUDGE, verdict(), "The answer is 1.")
        await afuse(problem.question, panel(ONE, TWO, "test/three", synthesizer=f"openrouter:{JUDGE}"))
        judge, writer = (call.prompt for call in provider.calls(JUDGE)[-2:])
        shared = common(judge, writer)
        assert not [fact for answer in said for fact in facts(answer) if fact.rstrip() not in shared]
        sent, read = sent + len(judge + writer), read + len(judge + writer) - len(shared)
    assert read <= 0.7 * sent
