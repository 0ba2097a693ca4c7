"""The comparison: asked, parsed, corrected once.

Answers reach the judge as A, B, C in an order that depends on the run's nonce alone, so that neither a model's
name nor its place sways the comparison; a resumed run sees the same order.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import TypeAdapter, ValidationError

from fusion_tool.graph.agents.answers import PanelAnswers, answer_room, retry_when_too_long
from fusion_tool.graph.agents.attempts import Attempt
from fusion_tool.graph.prompts import render
from fusion_tool.graph.result import Analysis, Contradiction, PartialCoverage, Stance, UniqueInsight
from fusion_tool.graph.runtime import Stage
from fusion_tool.models.call import ModelReply, call_model
from fusion_tool.models.capabilities import (
    Ask,
    Capabilities,
    InvalidReplyError,
    StructuredModel,
    ask_structured,
    capabilities_of,
    parse_json_object,
    structured_content,
    structured_output_methods,
)
from fusion_tool.models.factory import chat_model

_KINDS: dict[str, Any] = {
    "consensus": str,
    "contradictions": Contradiction,
    "partial_coverage": PartialCoverage,
    "unique_insights": UniqueInsight,
    "blind_spots": str,
}
_LETTER = re.compile(r"\b[A-K]\b")  # eight seats, and three asked once more
_ONE_LETTER = re.compile(r"(?:answer\s+)?[(\[]?([A-K])[)\].:]?", re.IGNORECASE)
_LETTERS = re.compile(r"\b[Aa]nswers?\s+([A-K]\b(?:(?:,\s*|,?\s+(?:and|or)\s+|\s*&\s*)[A-K]\b)*)")


class JudgeReply(Analysis):
    """A judge's reply: the analysis, still with letters, and whether it finds the question settled, where asked."""

    settled: bool = False

    @property
    def analysis(self) -> dict[str, Any]:
        """The analysis alone."""
        return self.model_dump(exclude={"settled"})


def reply_schema(letters: Sequence[str], *, statements: Sequence[str] = (), settled: bool = False) -> dict[str, Any]:
    """The JSON schema of a judge's reply.

    Args:
        letters: The answers' letters; a stance may name no other.
        statements: For a small model whose server enforces the grammar: it may only sort these, not write its own.
        settled: Whether to ask if the question is settled.
    """
    text = {"type": "string"} | ({"enum": list(statements)} if statements else {})
    letter = {"type": "string", "enum": list(letters)}

    def many(item: dict[str, Any], most: int = 1) -> dict[str, Any]:
        return {"type": "array", "items": item} | ({"maxItems": most} if statements else {})

    def fields(**properties: Any) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    return fields(
        consensus=many(text),
        contradictions=many(fields(topic=text, stances=many(fields(model=letter, stance=text), most=2))),
        partial_coverage=many(fields(models=many(letter), point=text)),
        unique_insights=many(fields(model=letter, insight=text)),
        blind_spots=many(text),
        **({"settled": {"type": "boolean"}} if settled else {}),
    )


def schema_text(letters: Sequence[str], *, settled: bool = False) -> str:
    """The schema as text, for a model whose endpoint does not enforce it."""
    return json.dumps(reply_schema(letters, settled=settled))


def parse_reply(reply: str | Mapping[str, Any]) -> JudgeReply:
    """The analysis in a judge's reply, still with letters; tolerant of fences, prose around it and bad commas.

    Raises:
        InvalidReplyError: There is none.
    """
    value, was_mended = (reply, False) if isinstance(reply, Mapping) else parse_json_object(reply)
    if not value or not (set(value) & set(Analysis.model_fields)):
        raise InvalidReplyError("no JSON object with the fields " + ", ".join(Analysis.model_fields))
    lists = {name: _items(value.get(name), kind) for name, kind in _KINDS.items()}
    for name, (valid, complaint) in lists.items():
        if complaint and not valid and not was_mended:
            raise InvalidReplyError(f"{name}: {complaint}")
    fields = {name: valid for name, (valid, _) in lists.items()}
    return JudgeReply(**fields, settled=value.get("settled") is True)


def _items(rows: Any, kind: Any) -> tuple[list[Any], str]:
    """The valid items of one list, and what is wrong with the last invalid one.

    A reply that errs in one item loses that item, not the whole analysis.
    """
    adapter = TypeAdapter(kind)
    valid, complaint = [], ""
    for row in rows if isinstance(rows, list) else [rows] if rows else []:
        try:
            valid.append(adapter.validate_python(row))
        except ValidationError as error:
            complaint = error.errors(include_url=False)[0]["msg"]
    return valid, complaint


def restore_names(analysis: Analysis, names: Mapping[str, str]) -> Analysis:
    """`analysis` with each letter replaced by the name it stands for, in the texts too ("Answer B says ...")."""

    def name(letter: str) -> str:
        match = _ONE_LETTER.fullmatch(letter.strip())
        return names.get(match[1].upper(), letter) if match else letter

    def text(value: str) -> str:
        return _LETTERS.sub(restored, value)

    def restored(match: re.Match[str]) -> str:
        known = all(letter in names for letter in _LETTER.findall(match[1]))
        return _LETTER.sub(lambda letter: names[letter[0]], match[1]) if known else match[0]

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
    )


_SCHEMA = "report_comparison"


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


async def compare_answers(task: JudgeTask, attempt: Attempt) -> JudgeResult:
    """Ask one model for the comparison.

    A window that is known is kept to; one that turns out too small gets half the material, once.

    Raises:
        ModelCallError: It gave no reply.
        InvalidReplyError: Neither of two replies holds an analysis.
    """
    panelist = attempt.panelist
    model = await chat_model(panelist)
    capabilities = capabilities_of(panelist, model)
    ask = partial(call_model, account=task.stage.call_context(panelist), deadline=attempt.deadline)
    others = len(str(_prompt(task, PanelAnswers((), {}, task.answers.nonce), capabilities)))
    answers = task.answers.truncated(answer_room(capabilities, panelist, others))
    return await retry_when_too_long(answers, lambda part: _compare_once(model, capabilities, task, part, ask))


async def _compare_once(
    model: Any, capabilities: Capabilities, task: JudgeTask, answers: PanelAnswers, ask: Ask
) -> JudgeResult:
    prompt, letters = _prompt(task, answers, capabilities), list(answers.letters)
    statements = answers.statements() if capabilities.small else ()
    schema = reply_schema(letters, statements=statements, settled=task.asks_whether_settled)
    methods = structured_output_methods(
        model, _SCHEMA, schema, takes_schema=capabilities.json_schema, tools=capabilities.tools and not statements
    )
    analysis = await ask_structured(
        StructuredModel(methods),
        prompt,
        ask=ask,
        parse=_parse_whole,
        correction=lambda error: render("judge_retry", error=error, shape=_shape(task, answers)),
    )
    return JudgeResult(analysis, answers.is_truncated)


def _parse_whole(reply: ModelReply) -> JudgeReply:
    content = structured_content(reply)
    return parse_reply(_finished_items(content) if isinstance(content, str) and reply.truncated else content)


def _finished_items(text: str) -> str:
    """A cut-off reply up to its last finished item; half a sentence is nobody's finding."""
    return text[: max(text.rfind(mark) for mark in ('",', "},", "],", '"]', "}]")) + 1]


def _shape(task: JudgeTask, answers: PanelAnswers) -> str:
    return schema_text(list(answers.letters), settled=task.asks_whether_settled)


def _prompt(task: JudgeTask, answers: PanelAnswers, capabilities: Capabilities) -> list[BaseMessage]:
    if capabilities.small:
        asked = render("small_judge_answers", question=task.question, answers=answers.plain_answers())
        example = HumanMessage(render("small_judge_example_question")), AIMessage(render("small_judge_example_answer"))
        return [SystemMessage(render("small_judge")), *example, HumanMessage(asked)]
    asked = render("judge_answers", question=task.question, answers=answers.answers())
    also = render("judge_settled") + "\n" if task.asks_whether_settled else ""
    system = render("judge", nonce=answers.nonce, shape=_shape(task, answers), also=also)
    return [SystemMessage(system), HumanMessage(asked)]
