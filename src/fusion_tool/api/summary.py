"""A result as text for a calling agent: the answer, its sources, and one line on how it came about."""

from fusion_tool.events import format_seconds, format_usd
from fusion_tool.graph.cited_answer import source_lines
from fusion_tool.graph.result import FusionResult

_CHARACTERS_A_TOKEN = 4
"""The usual rule of thumb; the bound is kept on the safe side by counting the sources too."""

_ELSEWHERE = "\n\n[cut to fit; the whole answer is in the artifact]"


def summarize(result: FusionResult, tokens: int) -> str:
    """Return the answer with numbered citations, a `Sources` list and a closing line.

    Args:
        result: A run's result.
        tokens: Upper bound of the whole, at four characters a token. Where it does not suffice the answer is cut,
            and says so; then sources are left out from the end.
    """
    room = tokens * _CHARACTERS_A_TOKEN
    closing = _cut(_closing_line(result), room // 4, "...)")
    lines = source_lines([citation.model_dump() for citation in result.citations])
    # Half of the room is the answer's. Sources go from the end, so that the numbers of the others stay right; a
    # citation whose source does not fit keeps its number, and the artifact has the source.
    while lines and sum(len(line) + 1 for line in lines) + len(closing) > room // 2:
        lines.pop()
    sources = "\n\nSources\n" + "\n".join(lines) if lines else ""
    answer = _cut(result.answer, room - len(sources) - len(closing) - 2, _ELSEWHERE)
    return f"{answer}{sources}\n\n{closing}"


def _closing_line(result: FusionResult) -> str:
    # The id first: of a line that is cut to fit its end goes, and by the id the caller can ask on.
    parts = [f"id {result.run_id}; Panel: {len(result.responses)} of {len(result.plan.seats)} answered"]
    if result.analysis is not None:
        disputed = [dispute.topic for dispute in result.analysis.contradictions]
        parts.append(f"agreement on {len(result.analysis.consensus)} points")
        parts.append(f"disputed: {'; '.join(disputed)[:200]}" if disputed else "nothing disputed")
        if result.analysis.unsupported_claims:
            parts.append(f"claims of answers without support: {len(result.analysis.unsupported_claims)}")
    if result.invented:
        parts.append(f"citations of sources never retrieved, removed: {result.invented}")
    if result.documents and result.documents.skipped:
        parts.append(f"documents not read: {len(result.documents.skipped)}")
    if result.broken_tools:
        parts.append(f"tools that failed: {result.broken_tools}")
    if result.degraded:
        parts.append(f"degraded: {', '.join(result.degraded)}")
    cost = "cost unknown" if result.usage.cost_usd is None else format_usd(result.usage.cost_usd)
    if result.usage.cost_usd is not None and result.usage.unpriced_calls:
        cost += f" and {result.usage.unpriced_calls} unpriced calls"
    return f"({', '.join([*parts, cost, format_seconds(result.timing.total_seconds)])})"


def _cut(text: str, room: int, mark: str) -> str:
    if len(text) <= room:
        return text
    mark = mark[: max(0, room)]
    return text[: max(0, room - len(mark))].rsplit(" ", 1)[0] + mark
