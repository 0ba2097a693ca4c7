"""The comparison of the answers by one judge: its prompt, its reply, and one correction.

Answers reach the judge as A, B, C in an order that depends on the run's nonce alone, so that neither a model's
name nor its place sways the comparison; a resumed run sees the same order.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.answers import PanelAnswers, answer_room, retry_when_too_long
from fusion_tool.graph.agents.attempts import Attempt
from fusion_tool.graph.agents.first_use import prepare_model
from fusion_tool.graph.agents.flags import MOST_FLAGS
from fusion_tool.graph.agents.judge_reply import JudgeReply, example_text, parse_reply, reply_schema
from fusion_tool.graph.agents.shared_prompt import is_judge_and_writer, shared_prompt
from fusion_tool.graph.prompts import render
from fusion_tool.graph.result import Analysis, Contradiction, PartialCoverage, Stance, UniqueInsight, UnsupportedClaim
from fusion_tool.graph.runtime import Stage
from fusion_tool.models.call import call_model
from fusion_tool.models.capabilities import (
    Capabilities,
    StructuredModel,
    ask_structured,
    capabilities_of,
    reply_parts,
    structured_output_methods,
)
from fusion_tool.models.prompt_cache import spoils_prefix
from fusion_tool.tools.untrusted import fence

_LETTER = re.compile(r"\b[A-K]\b")  # eight seats, and three asked once more
_ONE_LETTER = re.compile(r"(?:answer\s+)?[(\[]?([A-K])[)\].:]?", re.IGNORECASE)
_LETTERS = re.compile(r"\b[Aa]nswers?\s+([A-K]\b(?:(?:,\s*|,?\s+(?:and|or)\s+|\s*&\s*)[A-K]\b)*)")


def restore_names(analysis: Analysis, names: Mapping[str, str]) -> Analysis:
    """Replace each letter in `analysis` by the name it stands for, in the texts too ("Answer B says ...").

    Args:
        analysis: The judge's, with letters.
        names: What each letter stands for.
    """

    def name(letter: str) -> str:
        match = _ONE_LETTER.fullmatch(letter.strip())
        return names.get(match[1].upper(), letter) if match else letter

    def text(value: str) -> str:
        # Only behind "answer": a letter alone may be a word, a unit, or an option of the question.
        return _LETTERS.sub(to_names, value)

    def to_names(match: re.Match[str]) -> str:
        # All letters of an enumeration or none: one that no answer has means that these are not the answers' letters.
        is_ours = all(letter in names for letter in _LETTER.findall(match[1]))
        return _LETTER.sub(lambda letter: names[letter[0]], match[1]) if is_ours else match[0]

    return Analysis(
        consensus=[text(point) for point in analysis.consensus],
        contradictions=[
            Contradiction(
                topic=text(dispute.topic),
                stances=[Stance(model=name(s.model), stance=text(s.stance)) for s in dispute.stances],
            )
            for dispute in analysis.contradictions
        ],
        partial_coverage=[
            PartialCoverage(models=[name(m) for m in part.models], point=text(part.point))
            for part in analysis.partial_coverage
        ],
        unique_insights=[
            UniqueInsight(model=name(insight.model), insight=text(insight.insight))
            for insight in analysis.unique_insights
        ],
        blind_spots=[text(spot) for spot in analysis.blind_spots],
        unsupported_claims=[
            UnsupportedClaim(model=name(row.model), claim=text(row.claim), why=text(row.why))
            for row in analysis.unsupported_claims
        ],
    )


_SCHEMA = "report_comparison"
_FEW_FLAGS = 1
"""Flagged sentences of an answer that a small model is shown."""


@dataclass(frozen=True)
class JudgeTask:
    """What every judge needs.

    Args:
        stage: The judge's stage.
        question: The question.
        answers: The answers to compare.
        asks_whether_settled: Whether it shall say if the question is settled, on which a further wave depends.
    """

    stage: Stage
    question: str
    answers: PanelAnswers
    asks_whether_settled: bool = False


@dataclass(frozen=True)
class JudgeResult:
    """An analysis, still with letters, and whether the answers were cut to fit the judge's window."""

    analysis: JudgeReply
    answers_truncated: bool

    @property
    def is_whole(self) -> bool:
        """Whether the reply came to its end."""
        return not self.analysis.is_cut_off


async def compare_answers(task: JudgeTask, attempt: Attempt) -> JudgeResult:
    """Ask one model for the comparison.

    A window that is known is kept to; one that turns out too small gets half the material, once.

    Raises:
        ModelCallError: The model gave no reply.
        InvalidReplyError: Neither of two replies holds an analysis.
    """
    panelist = attempt.panelist
    model = await prepare_model(panelist, task.stage, attempt.deadline)
    capabilities = capabilities_of(panelist, model)
    without = PanelAnswers((), {}, task.answers.nonce)
    room = answer_room(capabilities, panelist, partial(_prompt, task, without, capabilities, panelist))
    answers = task.answers.with_flags(_FEW_FLAGS if capabilities.small else MOST_FLAGS)
    answers = answers.truncated(room)
    return await retry_when_too_long(answers, lambda part: _compare_once(model, capabilities, task, part, attempt))


async def _compare_once(
    model: Any, capabilities: Capabilities, task: JudgeTask, answers: PanelAnswers, attempt: Attempt
) -> JudgeResult:
    panelist, letters = attempt.panelist, list(answers.letters)
    prompt = _prompt(task, answers, capabilities, panelist)
    # Left to write its own, a small model fills the grammar with anything: it may only sort what the answers say.
    statements = answers.statements() if capabilities.small else ()
    doubtful = list(dict.fromkeys(flag.claim for _, flag in answers.doubtful())) if statements else []
    schema = reply_schema(letters, statements=statements, doubtful=doubtful, settled=task.asks_whether_settled)
    methods = structured_output_methods(
        model, _SCHEMA, schema, takes_schema=capabilities.json_schema, tools=capabilities.tools and not statements
    )
    analysis = await ask_structured(
        StructuredModel([model] if spoils_prefix(panelist, prompt) else methods),
        prompt,
        ask=partial(call_model, account=task.stage.call_context(panelist), deadline=attempt.deadline),
        parse=lambda reply: parse_reply(reply_parts(reply), task.question),
        correction=lambda error: render("judge_retry", error=error, example=_example(task, answers)),
    )
    return JudgeResult(analysis, answers.is_truncated)


def _example(task: JudgeTask, answers: PanelAnswers) -> str:
    return example_text(list(answers.letters), settled=task.asks_whether_settled)


def _prompt(
    task: JudgeTask, answers: PanelAnswers, capabilities: Capabilities, panelist: Panelist
) -> list[BaseMessage]:
    if capabilities.small:
        doubtful = _doubtful(answers)
        material = render(
            "small_judge_answers", question=task.question, answers=answers.plain_answers(), doubtful=doubtful
        )
        example = HumanMessage(render("small_judge_example_question")), AIMessage(render("small_judge_example_answer"))
        return [SystemMessage(render("small_judge")), *example, HumanMessage(material)]
    also = render("judge_settled") + "\n" if task.asks_whether_settled else ""
    rest = render("judge", flagged=answers.flagged(), example=_example(task, answers), also=also)
    # Where more seats may answer yet, the synthesizer reads something else.
    is_marked = not task.asks_whether_settled and is_judge_and_writer(panelist, task.stage.config)
    return shared_prompt(task.question, answers, rest, is_marked=is_marked)


def _doubtful(answers: PanelAnswers) -> str:
    """Return the flagged sentences for a small model, in a fence; nothing where there are none."""
    rows = [f"- {letter}: {flag.claim} Source: {flag.passage or 'nothing'}" for letter, flag in answers.doubtful()]
    text = "\n".join(rows)
    return f"\n\nDoubtful:\n{fence(text, label='doubtful', nonce=answers.nonce)}" if rows else ""
