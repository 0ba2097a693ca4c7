"""The events that tell what a run's records hold: told once when it happens, and again where the run is resumed.

What seats and judge wrote is in them where tracers may see it too (`trace_content`): who gets events may keep them.
"""

from collections.abc import Iterator, Mapping, Sequence

from fusion_tool.budget.usage import believe_usd, sum_known
from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import (
    Event,
    EventStamp,
    JudgeCompleted,
    PanelClosed,
    PanelistAnswered,
    PanelistFailed,
    PlanChosen,
    RunStarted,
)
from fusion_tool.graph.agents.answers import PanelAnswers, panel_answers
from fusion_tool.graph.agents.judge import restore_names
from fusion_tool.graph.duration import expected_seconds
from fusion_tool.graph.result import Analysis
from fusion_tool.graph.runtime import event_stamp
from fusion_tool.graph.state import FusionState, Plan, SeatRecord, StageRecord, records_of_run

_LONGEST_TEXT = 4000
"""Characters of a seat's answer in its event; the result has the whole."""


def analysis_of(judgement: StageRecord | None, names: Mapping[str, str]) -> Analysis | None:
    """Return the analysis with the panel's own names in place of the letters that judge and synthesizer saw.

    Args:
        judgement: The judge's record; `None` where nobody judged.
        names: What each letter stands for.
    """
    output = judgement["output"] if judgement else None
    return restore_names(Analysis.model_validate(output), names) if output else None


def plan_chosen(plan: Plan, config: FusionConfig, stamp: EventStamp) -> PlanChosen:
    """Return the event that names the plan, its seats by their labels."""
    labels = config.seat_labels
    return PlanChosen(
        type="plan.chosen",
        **stamp,
        strategy=plan["strategy"],
        seats=[labels[seat] for seat in plan["seats"]],
        reason=plan["reason"],
        expected_seconds=expected_seconds(config),
    )


def panelist_ended(record: SeatRecord, config: FusionConfig, stamp: EventStamp) -> PanelistAnswered | PanelistFailed:
    """Return the event that tells how a seat ended, with its answer; of a failed one the last model's reason."""
    if record["answered"]:
        return PanelistAnswered(
            type="panelist.answered",
            **stamp,
            seat=record["seat"],
            model=record["model"],
            seconds=record["seconds"],
            cost_usd=sum_known(believe_usd(call.get("cost_usd")) for call in record["calls"]),
            text=_bounded(record["content"]) if config.trace_content else None,
        )
    # Its last model's: what the models before it met, it was there to make good.
    last = record["failures"][-1]
    return PanelistFailed(
        type="panelist.failed",
        **stamp,
        seat=record["seat"],
        model=last["model"],
        reason=last["reason"],
        message=last["message"],
    )


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def panel_closed(records: Sequence[SeatRecord], stamp: EventStamp) -> PanelClosed:
    """Return the event that counts who answered, and who did not, in all waves so far."""
    answered = sum(record["answered"] for record in records)
    return PanelClosed(type="panel.closed", **stamp, answered=answered, failed=len(records) - answered)


def judge_completed(
    judgement: StageRecord, answers: PanelAnswers, config: FusionConfig, stamp: EventStamp
) -> JudgeCompleted:
    """Return the event that names who judged and what it saw; `None` where there is no analysis."""
    analysis = analysis_of(judgement, answers.names)
    return JudgeCompleted(
        type="judge.completed",
        **stamp,
        model=judgement.get("model"),
        consensus=len(analysis.consensus) if analysis else None,
        contradictions=len(analysis.contradictions) if analysis else None,
        analysis=analysis.model_dump() if analysis and config.trace_content else None,
    )


def replay_events(state: FusionState, config: FusionConfig) -> Iterator[Event]:
    """Yield the events up to here, stamped with the present, without the seats' tools and the pieces of the answer.

    Args:
        state: The run's, with what the finished seats of a step that was broken off wrote.
        config: The run's configuration.
    """
    run, judgement, records, stamp = state["run"], state["judgement"], records_of_run(state), event_stamp(state["run"])
    yield RunStarted(type="run.started", **stamp, question=run["question"])
    yield plan_chosen(state["plan"], config, stamp)
    yield from (panelist_ended(record, config, stamp) for record in records)
    if judgement:
        yield panel_closed(records, stamp)
        yield judge_completed(judgement, panel_answers(state), config, stamp)
