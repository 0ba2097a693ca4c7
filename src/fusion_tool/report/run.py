"""`to_html`: a run as a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from fusion_tool.budget.usage import Usage
from fusion_tool.graph.result import FailedModel, FusionResult
from fusion_tool.grounding.sources import Source
from fusion_tool.grounding.support import Support
from fusion_tool.report.charts import (
    EventTimeline,
    Lane,
    bill_by_stage,
    bill_lanes,
    draw_lanes,
    from_durations,
    has_all_starts,
)
from fusion_tool.report.markdown import LOST, CitationLink, Place, is_web, render_markdown
from fusion_tool.report.matrix import build_matrix
from fusion_tool.report.page import render_page

if TYPE_CHECKING:
    from markupsafe import Markup

    from fusion_tool.events import Event


class FailedRun(BaseModel):
    """A run without an answer, as in the JSON that `fusion-tool ask --json` prints of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Literal["failed"]
    error: str
    failed_models: list[FailedModel]
    usage: Usage | None = None
    question: str = ""


def to_html(result: "FusionResult | FailedRun | Mapping[str, Any]", events: "Sequence[Event]" = ()) -> str:
    """Return a run as one self-contained page: no network, no script; text from models and the web is escaped.

    Args:
        result: A run's result or its dict, or the same of a failed run.
        events: The run's events, for a true timeline; without them it is put together from durations.

    Returns:
        HTML, to be written as UTF-8.

    Raises:
        ConfigError: The extra `report` is not installed.
        ValidationError: The dict is no result.
    """
    run = _read(result)
    if isinstance(run, FailedRun):
        # The JSON of a failed run need not hold its question; the events of a run do.
        question = next((event["question"] for event in events if event["type"] == "run.started"), run.question)
        lanes = EventTimeline.lanes(events) if has_all_starts(events) else []  # failed seats have no durations
        bill = _bill(run.usage) if run.usage else None
        return render_page(
            "failed.html", run=run, question=question, timeline=_timeline(lanes), has_starts=True, bill=bill
        )
    has_starts = has_all_starts(events)
    lanes = EventTimeline.lanes(events) if has_starts else from_durations(run)
    support = {citation.source_id: citation.support for citation in run.citations}
    numbers = {citation.source_id: citation.number for citation in run.citations}
    sources = _list_sources(run.sources, numbers, support)
    by_id = {source.id: CitationLink(source.id, source.anchor, source.title, source.url) for source in sources}
    return render_page(
        "run.html",
        result=run,
        question=run.question,
        answer=render_markdown(run.answer, _citations_by_number(run), _places(run)),
        places={row.source_id: row.occurrences for row in run.citations},
        titles={source.id: source.title or source.url for source in sources},
        matrix=build_matrix(run.analysis, run.responses) if run.analysis else None,
        # A cached result has the time of its lookup, not of the run.
        timeline=None if run.cached else _timeline(lanes),
        has_starts=has_starts,
        bill=_bill(run.usage),
        sources=sources,
        answers=[(response, render_markdown(response.content, by_id)) for response in run.responses],
    )


@dataclass(frozen=True)
class _ListedSource:
    """A source as the page lists it; `number` and `support` are `None` where the answer does not cite it."""

    id: str
    anchor: str
    title: str
    url: str
    href: str | None
    kind: str
    retrieved_by: list[str]
    from_run: str | None
    number: int | None
    support: Support | None


@dataclass(frozen=True)
class _Bill:
    total: Usage
    stages: list[tuple[str, Usage]]
    picture: "Markup | None"


def _read(result: "FusionResult | FailedRun | Mapping[str, Any]") -> FusionResult | FailedRun:
    if isinstance(result, FusionResult | FailedRun):
        return result
    # By its status, not as a union, whose errors would speak of the fields of both.
    kind = FailedRun if result.get("status") == "failed" else FusionResult
    return kind.model_validate(result)


def _citations_by_number(run: FusionResult) -> dict[str, CitationLink]:
    return {
        str(row.number): CitationLink(str(row.number), _anchor(row.source_id), row.title, row.url, row.support)
        for row in run.citations
    }


def _places(run: FusionResult) -> list[Place]:
    """Return each citation with the verdict of its own place, and the places that lost their only one."""
    by_number = _citations_by_number(run)
    cited = [
        Place(place.start, place.end, replace(by_number[str(row.number)], support=place.support, passage=place.passage))
        for row in run.citations
        for place in row.occurrences
    ]
    return [*cited, *(Place(row.end, row.end, LOST) for row in run.uncited if row.invented)]


def _anchor(source_id: str) -> str:
    return f"source-{source_id}"


def _list_sources(
    sources: Sequence[Source], numbers: dict[str, int], support: dict[str, Support]
) -> list[_ListedSource]:
    """Return the sources, those that the answer cites first, by number."""
    rows = [
        _ListedSource(
            **source.model_dump(),
            anchor=_anchor(source.id),
            href=source.url if is_web(source.url) else None,  # a document or a command has an address to show only
            number=numbers.get(source.id),
            support=support.get(source.id),
        )
        for source in sources
    ]
    return sorted(rows, key=lambda row: (row.number is None, row.number or 0))


def _timeline(lanes: Sequence[Lane]) -> "Markup | None":
    if not any(lane.marks for lane in lanes):
        return None
    return draw_lanes("Who worked when", lanes, lambda value: f"{value:g} s")


def _bill(usage: Usage) -> _Bill:
    lanes, tick = bill_lanes(usage)
    picture = draw_lanes("The bill by stage", lanes, tick) if lanes else None
    return _Bill(usage, bill_by_stage(usage), picture)
