"""Grading: one criterion a call, the judge blind, its verdicts never guessed, everything billed.

What a judge replies, read tolerantly and never guessed.
"""

import asyncio
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.budget.ledger import Ledger
from fusion_tool.config.schema import Panelist
from fusion_tool.evals.graders.rubric import Grader, Verdict, judge_warnings, parse_verdict
from fusion_tool.models.capabilities import InvalidReplyError
from fusion_tool.models.health import HealthTracker
from fusion_tool.models.outcomes import SqliteOutcomes
from fusion_tool.testing import ScriptedChat
from tests.unit.evals.tasks import RUBRIC, task

ANSWER = "The Alder mill was built in 1861 [1].\n\nSources\n[1] Mills - https://mills.example"


def said(verdict, explanation="Because."):
    return json.dumps({"explanation": explanation, "verdict": verdict})


def by_statement(messages):
    """MET for the year alone."""
    return said("MET" if "1861." in statement(messages) else "UNMET")


def statement(messages):
    return messages[1].content.rpartition("# Statement\n\n")[2]


def judge(*replies, **options):
    return ScriptedChat(replies=list(replies), model_name="scripted:judge", **options)


async def graded(model, **options):
    grader = Grader(Panelist(model=model), **options)
    return grader, await grader.grade(task(), ANSWER)


async def test_each_criterion_gets_one_call_a_pass_and_a_verdict():
    model = judge(by_statement)
    _, verdicts = await graded(model, passes=2)
    assert [(one.criterion, one.repeat, one.met) for one in verdicts] == [
        (criterion.id, repeat, criterion.id == "year") for repeat in (1, 2) for criterion in RUBRIC
    ]
    assert len(model.prompts) == 2 * len(RUBRIC)
    assert {one.explanation for one in verdicts} == {"Because."}


class Watched(HealthTracker):
    """Keeps how calls ended."""

    def __init__(self):
        super().__init__(SqliteOutcomes())
        self.reasons = []

    def record_call(self, _panelist, reason, **_figures):
        self.reasons.append(reason)


@pytest.mark.parametrize(("reply", "reason"), [(said("MET"), None), ("", "empty")])
async def test_how_the_judges_calls_end_is_recorded_as_any_others(reply, reason):
    health = Watched()
    await graded(judge(reply), health=health)
    assert health.reasons == [reason] * len(RUBRIC)


async def test_the_judge_sees_question_answer_and_one_statement_and_nothing_else_of_the_rubric():
    model = judge(by_statement)
    await graded(model)
    for messages, criterion in zip(model.prompts, RUBRIC, strict=True):
        whole = "\n".join(str(message.content) for message in messages)
        assert statement(messages) == criterion.requirement
        assert "When was the Alder mill built?" in whole
        assert ANSWER in whole
        for other in RUBRIC:
            assert other is criterion or other.requirement not in whole
        assert not re.search(r"weigh|-?\b20\b|\b10\b|axis|facts|panel|\barm\b", whole)


async def test_the_answer_is_fenced_by_a_token_it_cannot_know():
    model = judge(by_statement)
    await graded(model)
    system, asked = model.prompts[0]
    nonce = re.search(r"the token (\w+)\.", system.content)[1]
    assert f"<<<{nonce} begin answer\n{ANSWER}\n{nonce} end>>>" in asked.content


async def test_prose_is_asked_once_more_and_then_missing():
    model = judge(said("MET"), "I like it.", "Truly.", said("UNMET"))
    grader, verdicts = await graded(model, concurrency=1)
    assert [one.met for one in verdicts] == [True, None, False, False]
    assert [len(one.calls) for one in verdicts] == [1, 2, 1, 1]
    assert verdicts[1].reason == "invalid_output"
    assert "MET" not in verdicts[1].explanation
    assert len(grader.calls) == 5


async def test_a_second_reply_that_is_a_verdict_counts():
    grader, verdicts = await graded(judge("Well.", said("MET")), concurrency=1)
    assert [one.met for one in verdicts] == [True] * 4
    assert "could not be used" in grader.judge.model.prompts[1][-1].content


async def test_a_call_that_fails_leaves_its_verdict_missing_with_the_reason():
    model = judge(said("MET"), TimeoutError("slow"), said("MET"))
    _, verdicts = await graded(model, concurrency=1)
    assert [(one.met, one.reason) for one in verdicts] == [(True, None), (None, "timeout"), (True, None), (True, None)]


async def test_an_endpoint_that_takes_no_tools_is_asked_in_prose_ever_after():
    class RefusedError(Exception):
        status_code = 400

    model = judge(RefusedError("tool_choice is not supported"), said("MET"))
    _, verdicts = await graded(model, concurrency=1)
    assert [one.met for one in verdicts] == [True] * 4
    assert len(model.prompts) == 5


async def test_every_call_is_on_the_bill():
    grader, verdicts = await graded(judge(said("MET"), cost_usd=0.01))
    assert sum(call.cost_usd for call in grader.calls) == pytest.approx(0.04)
    assert [call.stage for one in verdicts for call in one.calls] == ["judge"] * 4


async def test_a_limit_leaves_verdicts_missing_rather_than_passing_it():
    ledger = Ledger(usd=None, tokens=20_000)
    usage = {"input_tokens": 9_000, "output_tokens": 1_000, "total_tokens": 10_000}
    grader, verdicts = await graded(judge(said("MET"), usage=usage), concurrency=1, ledger=ledger)
    assert [(one.met, one.reason) for one in verdicts] == [(True, None)] * 2 + [(None, "budget")] * 2
    assert sum(call.input_tokens + call.output_tokens for call in grader.calls) <= 20_000


async def test_known_verdicts_are_not_paid_for_again_and_missing_ones_are():
    model = judge(said("UNMET"))
    known = [Verdict(criterion="year", met=True), Verdict(criterion="owner", met=None, reason="timeout")]
    new = []
    verdicts = await Grader(Panelist(model=model)).grade(task(), ANSWER, verdicts=known, on_verdict=new.append)
    assert [one.met for one in verdicts] == [True, False, False, False]
    assert len(model.prompts) == 3
    assert {one.criterion for one in new} == {"owner", "clear", "myth"}


class Gated(ScriptedChat):
    """Answers when it may; counts how many wait."""

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        GATE["waiting"] += 1
        GATE["most"] = max(GATE["most"], GATE["waiting"])
        try:
            await GATE["open"].wait()
        finally:
            GATE["waiting"] -= 1
        return await super()._agenerate(messages, stop, run_manager, **kwargs)


GATE = {}


@pytest.fixture
def gate():
    GATE.update(waiting=0, most=0, open=asyncio.Event())
    return GATE


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for raises no event
            await asyncio.sleep(0)


async def test_calls_in_flight_are_bounded_over_all_answers(gate):
    grader = Grader(Panelist(model=Gated(replies=[said("MET")])), concurrency=3)
    running = asyncio.gather(*(grader.grade(task(), ANSWER) for _ in range(3)))
    await until(lambda: gate["waiting"] == 3)
    gate["open"].set()
    await running
    assert gate["most"] == 3


async def test_cancelling_cancels_every_call_and_bills_what_was_sent(gate):
    grader = Grader(Panelist(model=Gated(replies=[said("MET")])), concurrency=2)
    running = asyncio.create_task(grader.grade(task(), ANSWER))
    await until(lambda: gate["waiting"] == 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert gate["waiting"] == 0
    assert [call.cost_usd for call in grader.calls] == [None, None]


async def test_what_a_listener_raises_is_raised_plainly():
    def full(_verdict):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await Grader(Panelist(model=judge(said("MET")))).grade(task(), ANSWER, on_verdict=full)


async def test_a_task_without_a_rubric_needs_no_judge():
    model = judge(said("MET"))
    assert await Grader(Panelist(model=model)).grade(task(rubric=(), reference="1861"), ANSWER) == []
    assert model.prompts == []


@pytest.mark.parametrize(
    ("own", "others", "says"),
    [
        ("openrouter:google/gemini-3.1-pro", ["openrouter:google/gemini-3.1-pro"], "also answers"),
        ("openrouter:google/gemini-3.1-pro:free", ["google_genai:gemini-3.1-pro"], "also answers"),
        ("openrouter:google/gemini-3.1-pro", ["openrouter:google/gemini-3-flash"], "of the same vendor as"),
        ("openai:gpt-5.5", ["openrouter:openai/gpt-5.4"], "of the same vendor as"),
        ("openrouter:google/gemini-3.1-pro", ["openrouter:openai/gpt-5.5", "ollama:qwen3:8b"], None),
    ],
)
def test_a_judge_with_a_stake_is_warned_of(own, others, says):
    warnings = judge_warnings(Panelist(model=own), [Panelist(model=other) for other in others])
    assert [says in one for one in warnings] == ([True] if says else [])


MET = json.dumps({"explanation": "It says 1861.", "verdict": "MET"})


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (MET, (True, "It says 1861.")),
        ({"explanation": "No year.", "verdict": "UNMET"}, (False, "No year.")),
        (f"Here it is:\n```json\n{MET}\n```", (True, "It says 1861.")),
        ('{"verdict": "not met"}', (False, "")),
        ('{"verdict": "Met", "explanation": null}', (True, "")),
        ("{'explanation': 'cut', 'verdict': 'UNMET',", (False, "cut")),
        ("MET", (True, "")),
        ("**UNMET**.", (False, "")),
        ("Verdict: NOT MET", (False, "")),
        ("The year is there.\n\nVerdict: MET", (True, "The year is there.\n\nVerdict: MET")),
    ],
)
def test_a_verdict_in_any_dress(reply, expected):
    assert parse_verdict(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "{}",
        "The criterion is met, I would say, though perhaps not.",
        "It could be MET or UNMET.",
        "Verdict: MET. On reflection, verdict: UNMET.",
        '{"verdict": "MOSTLY"}',
        '{"verdict": true}',
        '{"explanation": "It says 1861."}',
        '[{"met": true}]',
    ],
)
def test_what_says_neither_or_both_is_no_verdict(reply):
    with pytest.raises(InvalidReplyError):
        parse_verdict(reply)


@given(st.text() | st.dictionaries(st.text(), st.none() | st.booleans() | st.text()))
def test_anything_is_a_verdict_or_none(reply):
    try:
        met, explanation = parse_verdict(reply)
    except InvalidReplyError:
        return
    assert isinstance(met, bool)
    assert isinstance(explanation, str)


@given(st.text(), st.booleans())
def test_what_was_meant_is_what_is_read(explanation, met):
    said = json.dumps({"explanation": explanation, "verdict": "MET" if met else "UNMET"})
    assert parse_verdict(said) == (met, explanation.strip())
