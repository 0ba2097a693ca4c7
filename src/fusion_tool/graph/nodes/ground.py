"""`ground`: check every citation against its source and put the result together.

No model is asked but, with `verify`, the second reader, whose verdicts stand beside the audit's.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

from langchain_core.messages import AIMessage
from langgraph.runtime import Runtime

from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.installation import version
from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import RunCompleted, VerificationCompleted
from fusion_tool.graph.agents.answers import PanelAnswers, panel_answers
from fusion_tool.graph.agents.attempts import failed_models
from fusion_tool.graph.agents.verifier import CitedSentence, verify_citations
from fusion_tool.graph.answer_stream import AnswerStream
from fusion_tool.graph.cited_answer import citation_metadata, sources_tail
from fusion_tool.graph.degradation import PARTIAL, Degradation
from fusion_tool.graph.earlier import EarlierRun, list_carried
from fusion_tool.graph.limits import elapsed_work
from fusion_tool.graph.progress import analysis_of
from fusion_tool.graph.result import (
    AuditCounts,
    Citation,
    FusionResult,
    Occurrence,
    PlanResult,
    Response,
    Timing,
    ToolFailure,
    UncitedSentence,
    Verification,
)
from fusion_tool.graph.runtime import EventEmitter, GraphOptions, Stage
from fusion_tool.graph.state import FusionState, SeatRecord, StageRecord, records_of_run
from fusion_tool.grounding.audit import Audit, audit_numbered
from fusion_tool.grounding.citations import NumberedText, cited_ids, number_citations, number_citations_in_json
from fusion_tool.grounding.sources import RetrievedSource, Source, merge_sources


async def ground(state: FusionState, runtime: Runtime[FusionConfig], *, options: GraphOptions) -> dict[str, Any]:
    """Return the run's `FusionResult`, and the answer as a message where messages came in."""
    run, records = state["run"], records_of_run(state)
    earlier = run.get("earlier")
    config = options.config_for(runtime, run)
    stages = [stage for stage in (state["judgement"], state["synthesis"]) if stage]
    answers = panel_answers(state)
    work = partial(_audit_answer, str(stages[-1]["output"]), answers.sources, is_json=run["answer_schema"] is not None)
    # In a thread: twenty long pages take half a second, in which a server's other runs would stand still.
    audit, numbered = await asyncio.to_thread(work) if answers.sources else work()
    verifications: Mapping[CitedSentence, Verification] = {}
    verification = None
    if config.verifier and audit.verdicts:
        stage = await Stage.open(options, state, runtime, "verifier")
        verifications, verification = await _verify(stage, audit, answers)
        stages.append(verification)
    sources = _sources(records, earlier, numbered.numbers)
    citations = _citations(numbered, audit, answers.sources, verifications, {row.id: row.from_run for row in sources})
    degraded = _degradations(records, stages)
    if _no_search_worked(records):
        degraded.append("search_unavailable")
    # Only where there was something to cite: without sources no answer has citations, and lacks none.
    if config.has_sources and not citations:
        degraded.append("uncited")
    plan, labels = state["plan"], config.seat_labels
    result = FusionResult(
        status="partial" if PARTIAL & set(degraded) else "ok",
        answer=numbered.text,
        citations=citations,
        sources=sources,
        analysis=analysis_of(state["judgement"], answers.names),
        responses=[_response(record, answers) for record in records if record["answered"]],
        failed_models=failed_models(records, state["judgement"], state["synthesis"], verification),
        tool_failures=_tool_failures(records),
        degraded=degraded,
        dropped=sum(record["dropped"] for record in records) + (earlier["dropped"] if earlier else 0),
        uncited=[UncitedSentence(**asdict(row)) for row in audit.uncited],
        invented=audit.invented,
        documents=plan.get("documents"),
        plan=PlanResult(
            strategy=plan["strategy"],
            seats=[labels[seat] for seat in plan["seats"]],
            reason=plan["reason"],
            bash=plan["bash"],
            stays_local=_stays_local(config),
        ),
        usage=Usage.of(Call.model_validate(call) for stage in [*records, *stages] for call in stage["calls"]),
        timing=_timing(state, records, verification),
        run_id=run["id"],
        continues=earlier["run_id"] if earlier else None,
        question=run["question"],
        created_at=run["created_at"],
        version=version(),
    )
    events, update = EventEmitter(runtime, run), {"result": result.model_dump(mode="json")}
    events.emit(RunCompleted(type="run.completed", **events.stamp, status=result.status, result=update["result"]))
    message = _stream_end(update["result"], state, config)
    return {**update, "messages": [message]} if run["from_messages"] else update


def _stays_local(config: FusionConfig) -> Literal["privacy", "documents.send_to"] | None:
    if config.privacy == "local":
        return "privacy"
    return "documents.send_to" if config.documents_stay_local else None


def _stream_end(result: Mapping[str, Any], state: FusionState, config: FusionConfig) -> AIMessage:
    """End the stream of the answer as a message, and return the message."""
    synthesis = state["synthesis"]
    stream = AnswerStream(synthesis.get("message_id") if synthesis else None)
    answer, citations = str(result["answer"]), result["citations"]
    # None behind JSON, which would not be JSON any more.
    is_listed = config.list_sources and state["run"]["answer_schema"] is None
    tail = sources_tail(citations) if is_listed else ""
    message = AIMessage(answer + tail, id=stream.message_id, response_metadata=citation_metadata(citations))
    stream.end(tail, message)
    return message


def _audit_answer(raw: str, sources: dict[str, RetrievedSource], *, is_json: bool) -> tuple[Audit, NumberedText]:
    numbered = number_citations_in_json(raw, sources) if is_json else number_citations(raw, sources)
    return audit_numbered(numbered, sources), numbered


async def _verify(
    stage: Stage, audit: Audit, answers: PanelAnswers
) -> tuple[Mapping[CitedSentence, Verification], StageRecord]:
    """Let the second reader read every citation; what it fails at costs its verdicts alone."""
    started, sources = time.monotonic(), answers.sources
    cited = [CitedSentence(row.claim, row.id) for row in audit.verdicts]
    texts = {row.id: f"{sources[row.id]['title']}\n\n{sources[row.id]['text']}" for row in audit.verdicts}
    reading = await verify_citations(stage, cited, texts, nonce=answers.nonce)
    owner = stage.config.verifier
    replaced = [model for model in reading.models if owner and model != owner.model_name]
    marks = ["verification_incomplete"] if reading.unread else []
    verdicts = [found.verdict if (found := reading.verifications.get(row)) else None for row in cited]
    stage.events.emit(
        VerificationCompleted(
            type="verification.completed",
            **stage.events.stamp,
            model=reading.models[0] if reading.models else None,
            supports=verdicts.count("supports"),
            contradicts=verdicts.count("contradicts"),
            says_nothing=verdicts.count("says nothing"),
            unread=verdicts.count(None),
        )
    )
    return reading.verifications, StageRecord(
        output=None,
        calls=[row.model_dump() for row in stage.calls],
        spent=list(stage.budget.spent),
        seconds=round(time.monotonic() - started, 3),
        degraded=[*(["verifier_replaced"] if replaced else []), *marks],
        failures=reading.failures,
    )


def _citations(
    numbered: NumberedText,
    audit: Audit,
    sources: dict[str, RetrievedSource],
    verifications: Mapping[CitedSentence, Verification],
    from_runs: Mapping[str, str | None],
) -> list[Citation]:
    """Return what stands behind each number, and the verdicts at every place where it stands."""
    occurrences: dict[str, list[Occurrence]] = {}
    for row in audit.verdicts:
        fields = {name: getattr(row, name) for name in Occurrence.model_fields.keys() - {"verification"}}
        read = verifications.get(CitedSentence(row.claim, row.id))
        occurrences.setdefault(row.id, []).append(Occurrence(**fields, verification=read))
    return [
        Citation(
            number=number,
            source_id=key,
            url=sources[key]["url"],
            title=sources[key]["title"],
            support=audit.support[key],
            occurrences=occurrences[key],
            from_run=from_runs[key],
        )
        for key, number in numbered.numbers.items()
    ]


def _sources(records: list[SeatRecord], earlier: EarlierRun | None, numbers: Mapping[str, int]) -> list[Source]:
    """Return what was retrieved, then what the answer or a seat cites of the sources of an earlier run."""
    # A list in the order of the records, not a set: who retrieved a source is listed in the panel's order.
    seen_by: dict[str, list[str]] = {}
    for record in records:
        for source in record["found"]:
            seats = seen_by.setdefault(source["id"], [])
            if record["seat"] not in seats:
                seats.append(record["seat"])
    retrieved = [
        Source(id=key, url=source["url"], title=source["title"], kind=source["kind"], retrieved_by=seen_by[key])
        for key, source in merge_sources(found for record in records for found in record["found"]).items()
    ]
    cited = {*numbers, *(key for record in records for key in cited_ids(record["content"]))} - seen_by.keys()
    return [*retrieved, *(source for source in list_carried(earlier) if source.id in cited)]


def _response(record: SeatRecord, answers: PanelAnswers) -> Response:
    audit = answers.audit_of(record)
    return Response(
        seat=record["seat"],
        model=record["model"],
        content=record["content"],
        sources=list(merge_sources(record["found"])),
        tool_calls=record["tool_calls"],
        seconds=record["seconds"],
        wave=record["wave"],
        audit=AuditCounts(**audit.counts),
        invented=audit.invented,
    )


def _tool_failures(records: list[SeatRecord]) -> list[ToolFailure]:
    """Return the tools' failures, one row a tool and reason, in the order in which the panel's seats met them."""
    seats_of: dict[tuple[Any, Any], list[str]] = {}
    for record in records:
        for row in record.get("tool_failures", ()):
            seats_of.setdefault((row["tool"], row["reason"]), []).append(record["seat"])
    return [
        ToolFailure(tool=tool, reason=reason, count=len(seats), seats=list(dict.fromkeys(seats)))
        for (tool, reason), seats in seats_of.items()
    ]


def _no_search_worked(records: list[SeatRecord]) -> bool:
    """Return whether searches were tried and not one could be made; one that finds nothing was made."""
    tried = sum(record.get("searches", 0) for record in records)
    failed = [row for record in records for row in record.get("tool_failures", ()) if row["tool"] == "web_search"]
    return 0 < tried <= len(failed)


def _degradations(records: list[SeatRecord], stages: list[StageRecord]) -> list[Degradation]:
    flaws = ("truncated", "unread", "spoiled")
    lost = [record for record in records if not record["answered"] or any(map(record.get, flaws))]
    failures = [failure for record in lost for failure in record["failures"]]
    marks: list[Any] = []
    if lost:
        marks.append("panel_reduced")
    if any(failure["reason"] == "straggler" for failure in failures):
        marks.append("straggler_cut")
    # With a status it was the provider that refused for want of money, which is not a limit of the run's.
    if any(failure["reason"] == "budget" and failure["status_code"] is None for failure in failures):
        marks.append("budget_exhausted")
    if any(record.get("evidence_cut") for record in records):
        marks.append("evidence_packed")
    return list(dict.fromkeys([*marks, *(mark for stage in stages for mark in stage["degraded"])]))


def _timing(state: FusionState, records: list[SeatRecord], verification: StageRecord | None) -> Timing:
    # A stage that asked nobody, because an answer stood by itself, has no time of its own to show.
    judgement, synthesis = state["judgement"], state["synthesis"]
    return Timing(
        total_seconds=round(time.time() - state["run"]["started"], 3),
        panel_seconds=round(elapsed_work(records), 3) if records else None,
        judge_seconds=judgement["seconds"] if judgement and judgement["calls"] else None,
        synthesis_seconds=synthesis["seconds"] if synthesis and synthesis["calls"] else None,
        verification_seconds=verification["seconds"] if verification and verification["calls"] else None,
    )
