"""`judge`: close the wave, compare the usable answers, and decide whether more seats are asked.

What fails here costs the analysis, never the answers.
"""

import time
from functools import partial
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from fusion_tool.budget.ledger import Spent
from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import PanelFailed
from fusion_tool.graph.agents.answers import panel_answers
from fusion_tool.graph.agents.attempts import ask_stage, failed_models, models_of_role
from fusion_tool.graph.agents.follow_up import follow_up_assignments
from fusion_tool.graph.agents.judge import JudgeResult, JudgeTask, compare_answers
from fusion_tool.graph.limits import elapsed_work, wave_seconds
from fusion_tool.graph.progress import judge_completed, panel_closed
from fusion_tool.graph.runtime import GraphOptions, Stage
from fusion_tool.graph.state import FusionState, SeatAssignment, SeatRecord, StageRecord, answer_key
from fusion_tool.graph.strategies import strategy_named
from fusion_tool.routing.policy.documents import may_read_answers

_NOTHING = StageRecord(output=None, calls=[], spent=[0.0, 0], seconds=0.0, degraded=[])

_Onward = Command[Literal["fan_out", "synthesize"]]


async def judge(state: FusionState, runtime: Runtime[FusionConfig], *, options: GraphOptions) -> _Onward:
    """Close the wave and compare the answers so far.

    Raises:
        PanelFailed: Fewer than `limits.min_answers` seats gave a usable answer, and no more are to be asked.
    """
    stage = await Stage.open(options, state, runtime, "judge")
    config, records, answers = stage.config, stage.records, panel_answers(state)
    strategy, answered = strategy_named(state["plan"]["strategy"]), len(answers.records)
    stage.events.tell(panel_closed, records)
    before = state["judgement"] or _NOTHING
    seats, late = _next_seats(state, config, records)
    if answered < config.limits.min_answers and not seats:
        raise _panel_failed(records, before, answered, config.limits.min_answers)
    # Without a model first: answers that agree by themselves need no judge, and pay for none.
    standing = strategy.decide_early(state["run"]["question"], answers, is_last=not seats)
    if standing.key is not None:
        output = standing.disputed.model_dump() if standing.disputed else None
        return _next_step({**before, "output": output, "degraded": late}, [], standing.key)
    assignments = strategy.assignments(config, seats, answers)
    if not strategy.needs_judge(answered, is_closed=standing.is_closed, is_last=not seats):
        return _next_step({**before, "degraded": late}, assignments)
    task = JudgeTask(stage, state["run"]["question"], answers, asks_whether_settled=bool(seats))
    result, judgement = await _run_judge(task, before)
    stage.events.tell(judge_completed, judgement, answers, config)
    if result and strategy.is_settled(result.analysis):
        # An answer alone is not compared: it stands as it is, and its analysis would repeat it.
        alone = answer_key(answers.records[0]) if answered == 1 else None
        return _next_step({**judgement, "output": None} if alone else judgement, [], alone)
    # Once, after the last planned wave: a follow-up is a wave beyond the plan, so that the next time this is not true.
    if result and config.follow_up and state["wave"] == len(state["plan"]["waves"]):
        readers = [
            seat for seat in state["plan"]["seats"] if may_read_answers(config, config.panel[seat], answers.records)
        ]
        assignments = follow_up_assignments(result.analysis, answers, readers)
    return _next_step({**judgement, "degraded": [*judgement["degraded"], *late]}, assignments)


def _next_step(judgement: StageRecord, assignments: list[SeatAssignment], standing: str | None = None) -> _Onward:
    update = {"judgement": judgement, "asks": assignments, "agreed": standing}
    return Command(update=update, goto="fan_out" if assignments else "synthesize")


def _next_seats(state: FusionState, config: FusionConfig, records: list[SeatRecord]) -> tuple[list[int], list[str]]:
    """Return the seats of the next planned wave; none, and a mark of `degraded`, where no time is left for it."""
    waves = state["plan"]["waves"][state["wave"] :]
    if not waves:
        return [], []
    seconds = wave_seconds(config, elapsed_work(records, state["judgement"]), len(waves) - 1)
    return (waves[0], []) if seconds > 0 else ([], ["deadline_reached"])


async def _run_judge(task: JudgeTask, before: StageRecord) -> tuple[JudgeResult | None, StageRecord]:
    """Return what the judge finds, and the stage's record: the bills of all waves, the last wave's product."""
    started = time.monotonic()
    owner = task.stage.config.judge_or_default
    outcome = await ask_stage(
        task.stage, models_of_role(owner), partial(compare_answers, task), is_whole=lambda result: result.is_whole
    )
    result = outcome.reply
    spent = Spent(before["spent"][0], int(before["spent"][1])) + task.stage.budget.spent
    return result, StageRecord(
        output=result.analysis.analysis if result else None,
        calls=[*before["calls"], *(row.model_dump() for row in task.stage.calls)],
        spent=list(spent),
        seconds=round(before["seconds"] + time.monotonic() - started, 3),
        degraded=[*(["judge_replaced"] if outcome.stands_in_for(owner) else []), *_degradations(result, task)],
        model=outcome.model,
        failures=[*before.get("failures", []), *outcome.failures],
    )


def _degradations(result: JudgeResult | None, task: JudgeTask) -> list[str]:
    if result is None:
        return ["analysis_unavailable", *task.stage.limit_marks()]
    marks = [] if result.is_whole else ["analysis_truncated"]
    return [*marks, "answers_packed"] if result.answers_truncated else marks


def _panel_failed(records: list[SeatRecord], judgement: StageRecord, answered: int, min_answers: int) -> PanelFailed:
    rows = [row.model_dump() for row in failed_models(records, judgement)]
    # Nothing came of it, and it is on the bill all the same.
    calls = [Call.model_validate(call) for stage in (*records, judgement) for call in stage["calls"]]
    return PanelFailed(rows, Usage.of(calls).model_dump(), answered, min_answers)
