"""What a run goes on from: an earlier run's answer, what it settled and left open, and the sources that it cites.

Only the last run is carried over, and each part of it within a bound, so that a chain of runs does not grow.
"""

import re
from collections.abc import Callable, Iterator

from typing_extensions import TypedDict

from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import one_line
from fusion_tool.graph.prompts import render
from fusion_tool.graph.result import Citation, FusionResult
from fusion_tool.grounding.sources import RetrievedSource, Source, make_source
from fusion_tool.tools.untrusted import fence, is_forbidden

_ANSWER, _QUESTION, _POINT, _TITLE, _PASSAGES = 6000, 1000, 250, 120, 800
"""The most characters of each part; `_PASSAGES` are those of one source."""
_POINTS, _SOURCES = 12, 16
"""The most points, settled and open ones each, and the most sources."""
_LONGEST_URL = 500
_CITATION = re.compile(r"(?<!\w)\[(\d+)\]")


class EarlierRun(TypedDict):
    """An earlier run as a later one knows it; plain JSON, as it stands in the graph's state.

    `answer` cites by id. `settled` is what the panel agreed on, `open` what it disputed, missed or could not support.
    `found` are the sources that the answer cites; the text of each are the passages that the audit compared. `support`
    has the audit's verdict and `retrieved_in` the run that retrieved it, by the source's id. `from_documents` says
    whether the user's documents may be in it, `stays_local` by which setting it stays on this machine, `dropped` counts
    what the later run's exclusions withhold.
    """

    run_id: str
    question: str
    answer: str
    settled: list[str]
    open: list[str]
    found: list[RetrievedSource]
    support: dict[str, str]
    retrieved_in: dict[str, str]
    from_documents: bool
    stays_local: str | None
    dropped: int


def carry_over(result: FusionResult, config: FusionConfig) -> EarlierRun:
    """Return what a run with `config` may know of an earlier one.

    Args:
        result: The earlier run's result.
        config: The later run's configuration, whose exclusions hold for what the earlier one found, too.
    """
    sources = {citation.number: _to_source(citation, result) for citation in result.citations}
    allowed = {number: source for number, source in sources.items() if not _is_withheld(source, config)}
    carried = dict(list(allowed.items())[:_SOURCES])

    def mark(match: re.Match[str]) -> str:
        number = int(match[1])
        # A number without a source that is carried over would be a citation of nothing.
        return f"[{carried[number]['id']}]" if number in carried else "" if number in sources else match[0]

    def cites_withheld(line: str) -> bool:
        return not (sources.keys() - allowed.keys()).isdisjoint(map(int, _CITATION.findall(line)))

    lines = result.answer.splitlines()
    shown = [line for line in lines if not (cites_withheld(line) or is_forbidden(line, config))]
    if is_forbidden("\n".join(shown), config):  # a fragment that spans two lines
        shown = []
    answer = _CITATION.sub(mark, "\n".join(shown))
    settled, still_open = (
        [point for point in points if not is_forbidden(point, config)]
        for points in (result.analysis.consensus if result.analysis else [], list(_open_points(result, mark)))
    )
    origin = {source.id: source.from_run for source in result.sources}
    return EarlierRun(
        run_id=result.run_id,
        question=_cut(result.question, _QUESTION),
        answer=_cut(answer, _ANSWER),
        settled=[one_line(point, _POINT) for point in settled[:_POINTS]],
        open=[one_line(point, _POINT) for point in still_open[:_POINTS]],
        found=list(carried.values()),
        support={carried[row.number]["id"]: row.support for row in result.citations if row.number in carried},
        retrieved_in={source["id"]: origin.get(source["id"]) or result.run_id for source in carried.values()},
        from_documents=result.documents is not None or any(row.kind == "document" for row in result.sources),
        stays_local=result.plan.stays_local,
        dropped=len(sources) - len(allowed) + len(lines) - len(shown),
    )


def earlier_text(earlier: EarlierRun | None) -> str:
    """Return an earlier run as text, not fenced yet; empty where there is none."""
    if earlier is None:
        return ""
    sources = "\n".join(
        f"[{row['id']}] {row['title']} {row['url'][:_LONGEST_URL]} ({earlier['support'][row['id']]})\n{row['text']}"
        for row in earlier["found"]
    )
    parts = {
        "Question": earlier["question"],
        "Answer": earlier["answer"],
        "Settled": "\n".join(f"- {point}" for point in earlier["settled"]),
        "Open": "\n".join(f"- {point}" for point in earlier["open"]),
        "Sources of the answer, with the words that it rests on": sources,
    }
    return "\n\n".join(f"{title}:\n{text}" for title, text in parts.items() if text)


def render_earlier(earlier: EarlierRun | None, *, nonce: str) -> str:
    """Return the section of a prompt that tells of an earlier run, as data; empty where there is none."""
    if earlier is None:
        return ""
    return render("earlier", earlier=fence(earlier_text(earlier), label="earlier answer", nonce=nonce)) + "\n\n"


def list_carried(earlier: EarlierRun | None) -> list[Source]:
    """Return the sources that are carried over, as a result lists them: retrieved by no seat, but in another run."""
    found = earlier["found"] if earlier else []
    retrieved_in = earlier["retrieved_in"] if earlier else {}
    return [
        Source(
            id=row["id"],
            url=row["url"],
            title=row["title"],
            kind=row["kind"],
            retrieved_by=[],
            from_run=retrieved_in[row["id"]],
        )
        for row in found
    ]


def _to_source(citation: Citation, result: FusionResult) -> RetrievedSource:
    kinds = {source.id: source.kind for source in result.sources}
    passages = dict.fromkeys(row.passage for row in citation.occurrences if row.passage)
    # Its id is made anew of its address: a result may come from a caller, who could give it that of another source.
    return make_source(
        citation.url,
        title=one_line(citation.title, _TITLE),
        kind=kinds.get(citation.source_id, "result"),
        text=_cut("\n".join(passages), _PASSAGES),
    )


def _is_withheld(source: RetrievedSource, config: FusionConfig) -> bool:
    return is_forbidden(source["url"], config) or is_forbidden(f"{source['title']}\n{source['text']}", config)


def _open_points(result: FusionResult, mark: Callable[[re.Match[str]], str]) -> Iterator[str]:
    if analysis := result.analysis:
        for dispute in analysis.contradictions:
            # Without the models' names: a seat that knows the majority follows it.
            yield f"disputed: {dispute.topic}: {' / '.join(stance.stance for stance in dispute.stances)}"
        yield from (f"missing: {spot}" for spot in analysis.blind_spots)
        yield from (f"not supported: {row.claim}" for row in analysis.unsupported_claims)
    for citation in result.citations:
        for row in citation.occurrences:
            if row.support == "mismatch":
                yield f"its source seems to say otherwise: {_CITATION.sub(mark, row.sentence)}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length].rstrip()} [cut]"
