"""`ground`: check every citation against its source and put the result together. No model is asked."""

import time
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.installation import version
from fusion_tool.config.schema import FusionConfig
from fusion_tool.graph.agents.answers import Briefing, briefing
from fusion_tool.graph.agents.judge import named
from fusion_tool.graph.limits import seconds_worked
from fusion_tool.graph.result import (
    PARTIAL,
    Analysis,
    AuditCounts,
    Citation,
    Degradation,
    FailedModel,
    FusionResult,
    PlanResult,
    Response,
    Timing,
)
from fusion_tool.graph.runtime import Progress, Wiring
from fusion_tool.graph.state import FusionState, SeatRecord, StageRecord, own_records
from fusion_tool.grounding.audit import audit
from fusion_tool.grounding.citations import renumber, renumber_json
from fusion_tool.grounding.sources import Found, Source, merged
from fusion_tool.tools.toolkit import has_sources


async def ground(state: FusionState, runtime: Runtime[FusionConfig], *, wiring: Wiring) -> dict[str, Any]:
    """The run's `FusionResult`, and the answer as a message where messages came in."""
    run, records = state["run"], own_records(state)
    config = wiring.settings(runtime, run)
    stages = [stage for stage in (state["judgement"], state["synthesis"]) if stage]
    brief = briefing(state)
    answer, citations = _cited(str(stages[-1]["output"]), brief.sources, is_json=run["answer_schema"] is not None)
    degraded = _degraded(records, stages)
    if has_sources(config) and not citations:
        degraded.append("uncited")
    plan = state["plan"]
    result = FusionResult(
        status="partial" if PARTIAL & set(degraded) else "ok",
        answer=answer,
        citations=citations,
        sources=_sources(records),
        analysis=_analysis(state["judgement"], brief.names),
        responses=[_response(record, brief) for record in records if record["answered"]],
        failed_models=[FailedModel(seat=r["seat"], **failure) for r in records for failure in r["failures"]],
        degraded=degraded,
        dropped=sum(record["dropped"] for record in records),
        plan=PlanResult(
            strategy=plan["strategy"],
            seats=[config.seat_labels[seat] for seat in plan["seats"]],
            reason=plan["reason"],
            bash=plan["bash"],
        ),
        usage=Usage.of(Call.model_validate(call) for stage in [*records, *stages] for call in stage["calls"]),
        timing=_timing(state, records),
        run_id=run["id"],
        question=run["question"],
        created_at=run["created_at"],
        version=version(),
    ).model_dump(mode="json")
    Progress(runtime, run).emit("run.completed", status=result["status"], result=result)
    update: dict[str, Any] = {"result": result}
    if run["from_messages"]:
        update["messages"] = [AIMessage(answer)]
    return update


def _cited(raw: str, sources: dict[str, Found], *, is_json: bool) -> tuple[str, list[Citation]]:
    """The answer with numbered citations, and what stands behind each number."""
    numbered = renumber_json(raw, sources) if is_json else renumber(raw, sources)
    support = audit(raw, sources).support
    citations = [
        Citation(
            number=number,
            source_id=key,
            url=sources[key]["url"],
            title=sources[key]["title"],
            support=support.get(key, "weak"),
        )
        for key, number in numbered.numbers.items()
    ]
    return numbered.text, citations


def _sources(records: list[SeatRecord]) -> list[Source]:
    seen_by: dict[str, list[str]] = {}
    for record in records:
        for one in record["found"]:
            seats = seen_by.setdefault(one["id"], [])
            if record["seat"] not in seats:
                seats.append(record["seat"])
    return [
        Source(id=key, url=one["url"], title=one["title"], kind=one["kind"], retrieved_by=seen_by[key])
        for key, one in merged(found for record in records for found in record["found"]).items()
    ]


def _response(record: SeatRecord, brief: Briefing) -> Response:
    return Response(
        seat=record["seat"],
        model=record["model"],
        content=record["content"],
        sources=list(merged(record["found"])),
        tool_calls=record["tool_calls"],
        seconds=record["seconds"],
        wave=record["wave"],
        audit=AuditCounts(**brief.audit_of(record)),
    )


def _degraded(records: list[SeatRecord], stages: list[StageRecord]) -> list[Degradation]:
    lost = [record for record in records if not record["answered"] or record["truncated"] or record.get("unread")]
    failures = [failure for record in lost for failure in record["failures"]]
    marks: list[Any] = []
    if lost:
        marks.append("panel_reduced")
    if any(failure["reason"] == "straggler" for failure in failures):
        marks.append("straggler_cut")
    if any(failure["reason"] == "budget" and failure["status_code"] is None for failure in failures):
        marks.append("budget_exhausted")
    return list(dict.fromkeys([*marks, *(mark for stage in stages for mark in stage["degraded"])]))


def _analysis(judgement: StageRecord | None, names: Mapping[str, str]) -> Analysis | None:
    """The analysis with the panel's own names in place of the letters that judge and synthesizer saw."""
    output = judgement["output"] if judgement else None
    return named(Analysis.model_validate(output), names) if output else None


def _timing(state: FusionState, records: list[SeatRecord]) -> Timing:
    judgement, synthesis = state["judgement"], state["synthesis"]
    return Timing(
        total_seconds=round(time.time() - state["run"]["started"], 3),
        panel_seconds=round(seconds_worked(records), 3) if records else None,
        judge_seconds=judgement["seconds"] if judgement and judgement["calls"] else None,
        synthesis_seconds=synthesis["seconds"] if synthesis and synthesis["calls"] else None,
    )
