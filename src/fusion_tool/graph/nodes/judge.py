"""`judge`: close the wave, compare the usable answers, and decide whether more seats are asked.

What fails here costs the analysis, never the answers.
"""

import logging
import time
from dataclasses import replace
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command

from fusion_tool.budget.ledger import Spent
from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import PanelFailed
from fusion_tool.graph.agents.answers import Briefing, briefing
from fusion_tool.graph.agents.judge import Finding, Hearing, compare
from fusion_tool.graph.limits import (
    deadline,
    fair_part,
    ledger_after,
    limits_reached,
    seconds_worked,
    spent_so_far,
    wave_seconds,
)
from fusion_tool.graph.resume import earlier
from fusion_tool.graph.runtime import Progress, Wiring
from fusion_tool.graph.state import Ask, FusionState, SeatRecord, StageRecord, own_records, record_key
from fusion_tool.graph.strategies import asks, follow_up_asks, is_comparable, is_enough, standing_answer
from fusion_tool.models import health
from fusion_tool.models.faults import scrub
from fusion_tool.models.providers import fallback_of
from fusion_tool.routing.policy.documents import may_see

_log = logging.getLogger(__name__)
_NOTHING = StageRecord(output=None, calls=[], spent=[0.0, 0], seconds=0.0, degraded=[])

_Onward = Command[Literal["fan_out", "synthesize"]]


async def judge(state: FusionState, runtime: Runtime[FusionConfig], *, wiring: Wiring) -> _Onward:
    """Close the wave and compare the answers so far.

    Raises:
        PanelFailed: Fewer than `limits.min_answers` seats gave a usable answer, and no more are to be asked.
    """
    config, records, brief = wiring.settings(runtime, state["run"]), own_records(state), briefing(state)
    progress, strategy, answered = Progress(runtime, state["run"]), state["plan"]["strategy"], len(brief.records)
    progress.emit("panel.closed", answered=answered, failed=len(records) - answered)
    before = state["judgement"] or _NOTHING
    seats, late = _next_seats(state, config, records)
    if answered < config.limits.min_answers and not seats:
        raise _panel_failed(records, before)
    standing = standing_answer(state["run"]["question"], strategy, brief, is_last=not seats)
    if standing.key is not None:
        output = standing.disputed.model_dump() if standing.disputed else None
        return _onward({**before, "output": output, "degraded": late}, [], standing.key)
    wanted = asks(config, seats, brief)
    if not is_comparable(strategy, answered, is_closed=standing.is_closed, is_last=not seats):
        return _onward({**before, "degraded": late}, wanted)
    hearing = await _hearing(state, runtime, config, brief, asks_settled=bool(seats))
    finding, judgement = await _heard(hearing, config, before)
    _tell(progress, finding)
    if finding and is_enough(strategy, finding.analysis):
        alone = record_key(brief.records[0]) if answered == 1 else None
        return _onward({**judgement, "output": None} if alone else judgement, [], alone)
    if finding and config.follow_up and state["wave"] == len(state["plan"]["waves"]):
        readers = [seat for seat in state["plan"]["seats"] if may_see(config, config.panel[seat], brief.records)]
        wanted = follow_up_asks(finding.analysis, brief, readers)
    return _onward({**judgement, "degraded": [*judgement["degraded"], *late]}, wanted)


def _onward(judgement: StageRecord, wanted: list[Ask], standing: str | None = None) -> _Onward:
    update = {"judgement": judgement, "asks": wanted, "agreed": standing}
    return Command(update=update, goto="fan_out" if wanted else "synthesize")


def _next_seats(state: FusionState, config: FusionConfig, records: list[SeatRecord]) -> tuple[list[int], list[str]]:
    """The seats of the next planned wave; none, and a mark of `degraded`, where no time is left for it."""
    waves = state["plan"]["waves"][state["wave"] :]
    if not waves:
        return [], []
    seconds = wave_seconds(config, seconds_worked(records, state["judgement"]), len(waves) - 1)
    return (waves[0], []) if seconds > 0 else ([], ["deadline_reached"])


async def _hearing(
    state: FusionState, runtime: Runtime[FusionConfig], config: FusionConfig, brief: Briefing, *, asks_settled: bool
) -> Hearing:
    records, judgement, before = own_records(state), state["judgement"], await earlier(runtime)
    return Hearing(
        question=state["run"]["question"],
        brief=brief,
        deadline=deadline(config, "judge", seconds_worked(records, judgement)),
        tab=before.tab(ledger_after(config, spent_so_far(records, judgement)), "judge"),
        asks_settled=asks_settled,
        rows=before.unknown_calls("judge", config.judge_or_default.model_name),
    )


async def _heard(hearing: Hearing, config: FusionConfig, before: StageRecord) -> tuple[Finding | None, StageRecord]:
    """What the judge finds, and the stage's record: the bills of all waves, the last wave's product."""
    started = time.monotonic()
    finding = await _first_finding(hearing, config.judge_or_default)
    spent = Spent(before["spent"][0], int(before["spent"][1])) + hearing.tab.spent
    return finding, StageRecord(
        output=finding.analysis.analysis if finding else None,
        calls=[*before["calls"], *(row.model_dump() for row in hearing.rows)],
        spent=list(spent),
        seconds=round(before["seconds"] + time.monotonic() - started, 3),
        degraded=_degraded(finding, hearing),
    )


async def _first_finding(hearing: Hearing, judge_: Panelist) -> Finding | None:
    """The comparison by the judge or, where it gives none, by its fallbacks."""
    models = (judge_.model, *judge_.fallbacks)
    for tried, one in enumerate(health.order(fallback_of(judge_, name) for name in models)):
        part = replace(hearing, deadline=fair_part(hearing.deadline, len(models) - tried))
        try:
            return await compare(part, one)
        except Exception as error:  # noqa: BLE001 - the panel's answers are paid for; no judge may lose them
            _log.warning("the judge %s gave no analysis: %s", one.model_name, scrub(str(error)))
    return None


def _tell(progress: Progress, finding: Finding | None) -> None:
    found = finding.analysis if finding else None
    progress.emit(
        "judge.completed",
        consensus=len(found.consensus) if found else None,
        contradictions=len(found.contradictions) if found else None,
    )


def _degraded(finding: Finding | None, hearing: Hearing) -> list[str]:
    if finding is None:
        return ["analysis_unavailable", *limits_reached(hearing.tab, hearing.deadline)]
    return ["answers_packed"] if finding.packed else []


def _panel_failed(records: list[SeatRecord], judgement: StageRecord) -> PanelFailed:
    rows = [{"seat": record["seat"], **failure} for record in records for failure in record["failures"]]
    calls = [Call.model_validate(call) for stage in (*records, judgement) for call in stage["calls"]]
    return PanelFailed(rows, Usage.of(calls).model_dump())
