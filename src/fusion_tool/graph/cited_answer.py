"""A cited answer in the forms that readers know: spans of its text, LangChain's annotations, a list of its sources.

All are made of a result's `citations`, as JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.messages.block_translators import register_translator
from langchain_core.messages.content import Citation, ContentBlock, TextContentBlock

from fusion_tool.grounding.support import VERDICT_LABELS, Support


@dataclass(frozen=True, slots=True)
class CitationSpan:
    """A place where an answer cites a source.

    Args:
        start: Offset of the mark `[1]` in the answer, in characters.
        end: Offset behind it.
        url: The source's address.
        title: The source's title.
        passage: The words of the source that the citing sentence was compared with; empty where none speak of it.
        support: The audit's verdict at this place.
    """

    start: int
    end: int
    url: str
    title: str
    passage: str
    support: Support


def citation_spans(citations: Sequence[Mapping[str, Any]], length: int | None = None) -> list[CitationSpan]:
    """Return where an answer cites what, in the order of its text.

    Args:
        citations: The `citations` of a result, as JSON.
        length: How many characters of the answer its reader gets; `None` for all.
    """
    spans = [
        CitationSpan(place["start"], place["end"], row["url"], row["title"], place["passage"], place["support"])
        for row in citations
        for place in row["occurrences"]
        if length is None or place["end"] <= length
    ]
    return sorted(spans, key=lambda span: span.start)


def source_lines(citations: Sequence[Mapping[str, Any]], length: int | None = None) -> list[str]:
    """Return a line for each cited source: its number, title and address, and a verdict that is not the best.

    Args:
        citations: As `citation_spans`' are.
        length: As `citation_spans`'; a source that is cited behind it alone has no line.
    """
    return [
        f"[{row['number']}] {' - '.join(filter(None, (row['title'], row['url'])))}{_note(row)}"
        for row in citations
        if length is None or any(place["end"] <= length for place in row["occurrences"])
    ]


def sources_tail(citations: Sequence[Mapping[str, Any]], length: int | None = None) -> str:
    """Return the list of sources that follows an answer which is read as text alone; empty where it cites none.

    Args:
        citations: As `citation_spans`' are.
        length: As `source_lines`'.
    """
    lines = source_lines(citations, length)
    return "\n\nSources\n" + "\n".join(lines) if lines else ""


def _note(row: Mapping[str, Any]) -> str:
    support: Support = row["support"]
    doubt = [] if support == "supported" else [VERDICT_LABELS[support]]
    notes = [*doubt, *(["read in an earlier run"] if row.get("from_run") else [])]
    return f" ({', '.join(notes)})" if notes else ""


PROVIDER = "fusion"
"""The `model_provider` by which LangChain finds how a message of ours becomes standard content blocks."""


def citation_metadata(citations: Sequence[Mapping[str, Any]], length: int | None = None) -> dict[str, Any]:
    """Return the `response_metadata` of a message with the answer: LangChain's annotations, and who reads them.

    The message's content stays a text, which every client reads; its `content_blocks` carry the annotations.

    Args:
        citations: As `citation_spans`' are.
        length: As `citation_spans`'.
    """
    annotations = [_annotation(span) for span in citation_spans(citations, length)]
    return {"model_provider": PROVIDER, "citations": annotations}


def _annotation(span: CitationSpan) -> Citation:
    annotation = Citation(
        type="citation",
        url=span.url,
        title=span.title,
        start_index=span.start,
        end_index=span.end,
        extras={"support": span.support},
    )
    if span.passage:
        annotation["cited_text"] = span.passage
    return annotation


def _content_blocks(message: AIMessage) -> list[ContentBlock]:
    # Chunks too: the last one, which has the annotations, may hold no text, and is merged with those before it.
    if not isinstance(message.content, str):
        raise NotImplementedError  # already blocks: LangChain then takes them as they are
    annotations = message.response_metadata.get("citations")
    if not (message.content or annotations):
        return []
    block = TextContentBlock(type="text", text=message.content)
    if annotations:
        block["annotations"] = list(annotations)
    return [block]


register_translator(PROVIDER, _content_blocks, _content_blocks)
