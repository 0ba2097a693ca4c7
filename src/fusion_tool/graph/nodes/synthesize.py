"""`synthesize`: write one answer from the panel's answers and their comparison, whoever can still write it.

A caller's `max_tokens` bounds it: whoever writes gets no more, what he says up to there is the answer, and an answer of
a seat that stands is cut.
"""

import time
from dataclasses import replace
from functools import partial

from langgraph.runtime import Runtime

from fusion_tool.budget.amounts import BYTES_A_TOKEN
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.agents.answers import panel_answers
from fusion_tool.graph.agents.attempts import ask_stage, models_of_role
from fusion_tool.graph.agents.synthesizer import DeltaEmitter, Draft, SynthesisTask, write_answer
from fusion_tool.graph.runtime import GraphOptions, Stage
from fusion_tool.graph.state import Failure, FusionState, SeatRecord, StageRecord, answer_key
from fusion_tool.models.providers import with_model


async def synthesize(state: FusionState, runtime: Runtime[FusionConfig], *, options: GraphOptions) -> FusionState:
    """Write the answer's raw text: the synthesizer, its fallbacks, the judge's model, else the best panel answer."""
    stage, started = await Stage.open(options, state, runtime, "synthesizer"), time.monotonic()
    run, judgement, standing = state["run"], state["judgement"], state["agreed"]
    task = SynthesisTask(stage, run, judgement["output"] if judgement else None, panel_answers(state))
    failures: list[Failure] = []
    degraded: list[str] = []
    # No seat was told how the answer shall be written: where somebody says so, even one that stands is written anew.
    if standing and not (run["answer_schema"] or run["instructions"]):
        draft = _draft_of_answer(task, standing)
        stage.calls.clear()  # an attempt of a process that died asked nobody either
    else:
        draft, failures, degraded = await _first_draft(task, _candidates(stage.config, run.get("max_tokens")))
    if draft.truncated:
        degraded.append("answer_truncated")
    if draft.spoiled:
        degraded.append("answer_spoiled")
    return {
        "synthesis": StageRecord(
            output=draft.text,
            calls=[row.model_dump() for row in stage.calls],
            spent=list(stage.budget.spent),
            seconds=round(time.monotonic() - started, 3),
            degraded=[*degraded, *(["answers_packed"] if draft.answers_truncated else [])],
            model=draft.model,
            failures=failures,
            message_id=draft.message_id,
        )
    }


async def _first_draft(task: SynthesisTask, candidates: list[Panelist]) -> tuple[Draft, list[Failure], list[str]]:
    """Return the first whole answer, else a cut-off one, else the panel's best; who failed; and what was lost."""
    owner, most = task.stage.config.synthesizer_or_default, task.run.get("max_tokens")
    # Cut off where the caller wanted it to end: nobody else could write more.
    at_callers_end = {writer.model_name for writer in candidates if most and writer.max_tokens == most}
    outcome = await ask_stage(
        task.stage,
        candidates,
        partial(write_answer, task),
        is_whole=lambda draft: not draft.truncated or draft.model in at_callers_end,
        # The judge's model, last and unasked for, gets what time is left.
        shares=len(models_of_role(owner)),
    )
    draft, marks = outcome.reply, ["synthesizer_replaced"] if outcome.stands_in_for(owner) else []
    if draft and (not draft.truncated or draft.model in at_callers_end):
        return draft, outcome.failures, marks
    if draft is None:
        marks += ["synthesis_unavailable", *task.stage.limit_marks()]
        return _best_panel_answer(task, attempt=len(candidates) + 1), outcome.failures, marks
    # Again, as an attempt of its own: what streamed of it was followed by the pieces of those that failed after it.
    again = DeltaEmitter(task, len(candidates) + 1, draft.model)
    again.finish(draft.text)
    return replace(draft, message_id=again.message_id), outcome.failures, [*marks, *task.stage.limit_marks()]


def _best_panel_answer(task: SynthesisTask, attempt: int) -> Draft:
    return _draft_from_record(task, max(task.answers.records, key=lambda record: _support_rank(task, record)), attempt)


def _draft_of_answer(task: SynthesisTask, key: str) -> Draft:
    return _draft_from_record(
        task, next(record for record in task.answers.records if answer_key(record) == key), attempt=1
    )


def _draft_from_record(task: SynthesisTask, record: SeatRecord, attempt: int) -> Draft:
    text = _first_tokens(record["content"], task.run.get("max_tokens"))
    deltas = DeltaEmitter(task, attempt, record["model"])
    deltas.finish(text)
    is_cut = record["truncated"] or text != record["content"]
    return Draft(record["model"], text, deltas.message_id, truncated=is_cut)


def _first_tokens(text: str, most: int | None) -> str:
    """Return the beginning of `text` that is about `most` tokens long, up to the end of a word; `None`: all of it."""
    raw = text.encode(errors="replace")
    if most is None or len(raw) <= most * BYTES_A_TOKEN:
        return text
    room = most * BYTES_A_TOKEN
    words, blank, _ = raw[: room + 1].rpartition(b" ")
    return (words if blank else raw[:room]).decode(errors="ignore")


def _candidates(config: FusionConfig, most: int | None) -> list[Panelist]:
    """Return who may write, in order, `most` tokens at most; the judge's model last, since it has read the answers."""
    judge = config.judge_or_default
    writers = [*models_of_role(config.synthesizer_or_default), with_model(judge, judge.model)]
    # Each model once, in its first role: one that failed as the synthesizer gets no second turn as the judge.
    by_name: dict[str, Panelist] = {}
    for writer in writers:
        bounds = [bound for bound in (writer.max_tokens, most) if bound is not None]
        by_name.setdefault(writer.model_name, writer.model_copy(update={"max_tokens": min(bounds, default=None)}))
    return list(by_name.values())


def _support_rank(task: SynthesisTask, record: SeatRecord) -> tuple[int, int]:
    """Return how much of an answer its sources carry, then its length: the best-supported answer stands in."""
    return task.answers.audit_of(record).balance, len(record["content"])
