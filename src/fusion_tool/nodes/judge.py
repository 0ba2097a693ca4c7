"""`judge`: close the panel and compare the usable answers. What fails here costs the analysis, never the answers."""

import logging
import time
from dataclasses import replace

from langgraph.runtime import Runtime

from fusion_tool.briefing import briefing, own_records
from fusion_tool.budget import Tab
from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.earlier import earlier
from fusion_tool.errors import PanelFailed
from fusion_tool.hearing import Finding, Hearing, compare
from fusion_tool.models.factory import fallback_of
from fusion_tool.models.faults import scrub
from fusion_tool.state import FusionState, SeatRecord, StageRecord
from fusion_tool.usage import Call, Usage
from fusion_tool.wiring import Progress, Wiring, deadline, fair_part, ledger_after, limits_reached, seconds_worked

_log = logging.getLogger(__name__)


async def judge(state: FusionState, runtime: Runtime[FusionConfig], *, wiring: Wiring) -> FusionState:
    """Close the panel and compare its answers.

    Raises:
        PanelFailed: Fewer than `limits.min_answers` seats gave a usable answer.
    """
    config, records, brief = wiring.settings(runtime, state["run"]), own_records(state), briefing(state)
    progress, started = Progress(runtime, state["run"]), time.monotonic()
    answered = len(brief.records)
    progress.emit("panel.closed", answered=answered, failed=len(records) - answered)
    if answered < config.limits.min_answers:
        raise _panel_failed(records)
    if config.strategy == "solo" or answered == 1:  # nothing to compare
        return {"judgement": StageRecord(output=None, calls=[], spent=[0.0, 0], seconds=0.0, degraded=[])}
    until = deadline(config, "judge", seconds_worked(records))
    rows = (await earlier(runtime)).unknown_calls("judge", config.judge_or_default.model_name)
    hearing = Hearing(state["run"]["question"], brief, until, Tab(ledger_after(config, records), "judge"), rows)
    finding = await _first_finding(hearing, config.judge_or_default)
    analysis = finding.analysis if finding else None
    progress.emit(
        "judge.completed",
        consensus=len(analysis.consensus) if analysis else None,
        contradictions=len(analysis.contradictions) if analysis else None,
    )
    return {
        "judgement": StageRecord(
            output=analysis.model_dump() if analysis else None,
            calls=[row.model_dump() for row in hearing.rows],
            spent=list(hearing.tab.spent),
            seconds=round(time.monotonic() - started, 3),
            degraded=_degraded(finding, hearing),
        )
    }


async def _first_finding(hearing: Hearing, judge_: Panelist) -> Finding | None:
    """The comparison by the judge or, where it gives none, by its fallbacks."""
    models = (judge_.model, *judge_.fallbacks)
    for tried, name in enumerate(models):
        part = replace(hearing, deadline=fair_part(hearing.deadline, len(models) - tried))
        try:
            return await compare(part, fallback_of(judge_, name))
        except Exception as error:  # noqa: BLE001 - the panel's answers are paid for; no judge may lose them
            _log.warning("the judge %s gave no analysis: %s", fallback_of(judge_, name).model_name, scrub(str(error)))
    return None


def _degraded(finding: Finding | None, hearing: Hearing) -> list[str]:
    if finding is None:
        return ["analysis_unavailable", *limits_reached(hearing.tab, hearing.deadline)]
    return ["answers_packed"] if finding.packed else []


def _panel_failed(records: list[SeatRecord]) -> PanelFailed:
    rows = [{"seat": record["seat"], **failure} for record in records for failure in record["failures"]]
    calls = [Call.model_validate(call) for record in records for call in record["calls"]]
    return PanelFailed(rows, Usage.of(calls).model_dump())
