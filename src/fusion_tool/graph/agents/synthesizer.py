"""One synthesizer's attempt at the answer: packed to its window, streamed where somebody listens."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.config.system import utc_day
from fusion_tool.events import SynthesisDelta
from fusion_tool.graph.agents import claims
from fusion_tool.graph.agents.answer_gate import AnswerGate
from fusion_tool.graph.agents.answers import PanelAnswers, answer_room, retry_when_too_long
from fusion_tool.graph.agents.attempts import Attempt
from fusion_tool.graph.agents.first_use import prepare_model
from fusion_tool.graph.agents.flags import tidy_claim
from fusion_tool.graph.agents.shared_prompt import is_judge_and_writer, shared_prompt
from fusion_tool.graph.agents.source_disputes import disputes_of, render_disputes
from fusion_tool.graph.agents.spoiled import Inspect, inspector, mend_reply
from fusion_tool.graph.answer_stream import AnswerStream
from fusion_tool.graph.earlier import render_earlier
from fusion_tool.graph.prompts import render, section
from fusion_tool.graph.runtime import Stage
from fusion_tool.graph.state import Run
from fusion_tool.grounding.citations import CitationStream, cited_ids, number_citations_in_json
from fusion_tool.grounding.quantities import find_quantities, quantities_agree
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.grounding.wording import normalize_text
from fusion_tool.models.call import ModelReply, call_model
from fusion_tool.models.capabilities import capabilities_of, first_accepted, structured_output_methods
from fusion_tool.tools.untrusted import fence

_Ask = Callable[..., Awaitable[ModelReply]]


@dataclass(frozen=True)
class SynthesisTask:
    """What every attempt needs.

    Args:
        stage: The synthesizer's stage.
        run: The run: its question, its context, and how the answer shall be written.
        analysis: The judge's analysis, with letters; `None` where there is none.
        answers: The panel's answers.
    """

    stage: Stage
    run: Run
    analysis: dict[str, Any] | None
    answers: PanelAnswers


@dataclass(frozen=True)
class Draft:
    """A model's text, the id of the message that it is, and what it lacks.

    Whether it was cut off, whether the answers that it was written from were, and what is wrong with it, empty where
    nothing is.
    """

    model: str
    text: str
    message_id: str
    truncated: bool = False
    answers_truncated: bool = False
    spoiled: str = ""


class DeltaEmitter:
    """One attempt's stream: ids become numbers on the way, and what was never retrieved is dropped."""

    def __init__(self, task: SynthesisTask, attempt: int, model: str) -> None:
        self._events, self._attempt, self._model = task.stage.events, attempt, model
        self._sources, self._is_json = task.answers.sources, task.run["answer_schema"] is not None
        self._stream, self._message = CitationStream(self._sources), AnswerStream()

    @property
    def message_id(self) -> str:
        """The id of the message that the attempt's pieces are of."""
        return self._message.message_id

    def feed(self, text: str) -> None:
        """Pass on a piece of raw text."""
        self._emit(self._stream.feed(text))

    def finish(self, text: str) -> None:
        """Pass on all of a text that did not stream, or, with an empty one, the end of what did."""
        if self._events.is_watched:
            self._emit(number_citations_in_json(text, self._sources).text if self._is_json else self._stream.feed(text))
            self._emit(self._stream.close())
            self._message.close()

    def _emit(self, text: str) -> None:
        if text:
            stamp, attempt, model = self._events.stamp, self._attempt, self._model
            self._events.emit(SynthesisDelta(type="synthesis.delta", **stamp, text=text, attempt=attempt, model=model))
            self._message.feed(text)


async def write_answer(task: SynthesisTask, attempt: Attempt) -> Draft:
    """Ask one model for the answer.

    A window that is known is kept to; one that turns out too small gets half the material, once.

    Raises:
        ModelCallError: The model gave no usable answer.
    """
    panelist = attempt.panelist
    model = await prepare_model(panelist, task.stage, attempt.deadline)
    capabilities = capabilities_of(panelist, model)
    ask = partial(call_model, account=task.stage.call_context(panelist), deadline=attempt.deadline)
    # Claims have a schema of their own, which the caller's would replace.
    if capabilities.path == "claims" and not task.run["answer_schema"]:
        text, spoiled = await _write_claims(model, task, ask, claims.claim_bounds(capabilities.max_input_tokens))
        deltas = DeltaEmitter(task, attempt.number, panelist.model_name)
        deltas.finish(text)
        return Draft(panelist.model_name, text, deltas.message_id, spoiled=spoiled)
    without = PanelAnswers((), {}, task.answers.nonce)
    answers = task.answers.truncated(answer_room(capabilities, panelist, partial(_prompt, task, without, panelist)))
    return await retry_when_too_long(answers, lambda part: _write_once(model, task, part, ask, attempt))


async def _write_once(model: Any, task: SynthesisTask, answers: PanelAnswers, ask: _Ask, attempt: Attempt) -> Draft:
    name = attempt.panelist.model_name
    prompt, deltas = _prompt(task, answers, attempt.panelist), DeltaEmitter(task, attempt.number, name)
    schema = task.run["answer_schema"]
    # An object's citations are numbered in its strings, which can only be told from its keys once it is whole.
    inspect = _inspector(task, attempt)
    gate = AnswerGate(deltas.feed, inspect)
    on_delta = gate.feed if task.stage.events.is_watched and not schema else None
    methods = structured_output_methods(model, "answer", schema, takes_schema=None, tools=False) if schema else [model]

    async def again(messages: Sequence[BaseMessage]) -> ModelReply:
        return (await first_accepted(methods, lambda method: ask(method, messages)))[0]

    reply, _ = await first_accepted(methods, lambda method: ask(method, prompt, on_delta=on_delta))
    reply = await mend_reply(reply, inspect, prompt, again, shown=gate.shown)
    deltas.finish(reply.text if schema else gate.rest_of(reply.text))
    return Draft(name, reply.text, deltas.message_id, reply.truncated, answers.is_truncated, reply.spoiled)


def _inspector(task: SynthesisTask, attempt: Attempt) -> Inspect | None:
    run = task.run
    # Without the caller's wishes, which the answer may well repeat.
    rules = render("synthesizer", context="", disputes="", analysis="", today="", wishes="")
    return inspector(
        attempt.panelist,
        run["question"],
        rules=rules,
        is_json=run["answer_schema"] is not None,
        any_language=bool(run["instructions"]),
    )


async def _write_claims(model: Any, task: SynthesisTask, ask: _Ask, bounds: claims.ClaimBounds) -> tuple[str, str]:
    """Ask a small model for claims over the panel's own claims, each of which carries its source on.

    Returns them, and what is wrong with them after a second try; empty where nothing is.

    Where there are sources and no seat makes a claim from them, what the first one says of that stands.
    """
    notes, question = task.answers.cited_lines(), task.run["question"]
    if not notes and task.answers.sources:
        return task.answers.records[0]["content"], ""
    if not notes:
        plain = [HumanMessage(f"{task.answers.plain_answers()}\n\nQuestion: {question}")]
        return (await ask(model, plain)).text, ""
    disputes = disputes_of(task.answers, question)
    # Notes of both sides, also of the one that no answer cites.
    sides = {side.id: side.claim for dispute in disputes for side in dispute}
    cited = {note["id"] for note in notes}
    notes += [
        RetrievedSource(**{**task.answers.sources[key], "text": tidy_claim(said)})
        for key, said in sides.items()
        if key not in cited
    ]
    hints = [" The sources differ: give each figure in a claim of its own."] if disputes else []
    if any(not cited_ids(record["content"]) for record in task.answers.records):
        hints.append(" Others found no answer in the sources: where that is right, say so with the source 0.")

    async def claims_from(sources: Sequence[RetrievedSource], asked: str) -> ModelReply:
        ask_bound = partial(ask, model.bind(response_format=claims.response_format(len(sources), bounds)))
        prompt = claims.claims_prompt(asked, sources, bounds, nonce=task.answers.nonce)
        inspect = partial(claims.inspect_claims, sources=sources)
        return await mend_reply(await ask_bound(prompt), inspect, prompt, ask_bound)

    reply = await claims_from(notes, "".join([question, *hints]))
    text, fault = reply.text, reply.spoiled
    for source, said in sides.items():
        if _tells(text, source, said):
            continue
        # Alone with this source: beside the other one it repeats that one's figure, told of it or not.
        other = await claims_from([note for note in notes if note["id"] == source], question)
        kept = [line for line in text.splitlines() if source not in cited_ids(line)]
        text = "\n".join([*kept, *other.text.splitlines()])
        if not _tells(text, source, said):
            fault = "it leaves out a figure in which the sources differ"
    return text, fault


def _tells(text: str, source: str, said: str) -> bool:
    """Tell whether a line of the claims cites the source and gives a figure of what it says."""
    figures = find_quantities(normalize_text(said))
    lines = [line for line in text.splitlines() if source in cited_ids(line)]
    given = [figure for line in lines for figure in find_quantities(normalize_text(line))]
    return any(quantities_agree(one, other) for one in given for other in figures)


def _prompt(task: SynthesisTask, answers: PanelAnswers, panelist: Panelist) -> list[BaseMessage]:
    context, nonce, question = task.run["context"], answers.nonce, task.run["question"]
    compared = "There is none." if task.analysis is None else json.dumps(task.analysis, ensure_ascii=False)
    rest = render(
        "synthesizer",
        context=render_earlier(task.run.get("earlier"), nonce=nonce)
        + section("What the asker already knows", fence(context, label="context", nonce=nonce) if context else ""),
        disputes=render_disputes(answers, question),
        analysis=fence(compared, label="comparison", nonce=nonce),
        today=utc_day(),
        wishes=_instructions(task.run),
    )
    # Without a comparison nobody has read the answers before.
    is_marked = task.analysis is not None and is_judge_and_writer(panelist, task.stage.config)
    return shared_prompt(question, answers, rest, is_marked=is_marked)


def _instructions(run: Run) -> str:
    """Return how the answer shall be written."""
    # Not fenced: of all texts this is the caller's own instruction, which the model shall follow.
    form = render("answer_schema", schema=json.dumps(run["answer_schema"])) if run["answer_schema"] else ""
    wishes = render("instructions", instructions=run["instructions"]) if run["instructions"] else ""
    return "".join(f"\n\n{part}" for part in (wishes, form) if part)
