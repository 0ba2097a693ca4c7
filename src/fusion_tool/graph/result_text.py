"""A result as Markdown and in one line, for notebooks, files and logs.

What models and the web said may stand in a page that its reader's program makes of it, as notebooks are exported with
their HTML as it is. So it keeps its Markdown and loses what could do more than be read: HTML, pictures, which would be
fetched, and links to anything but the web.
"""

import re
from typing import TYPE_CHECKING

from fusion_tool.events import format_cost, format_seconds, one_line, printable
from fusion_tool.grounding.support import VERDICT_LABELS

if TYPE_CHECKING:
    from fusion_tool.graph.result import Citation, FusionResult

_FENCE = re.compile(r"```[\w+-]*")
_FENCE_LINE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_READ_IN_TWO_WAYS = re.compile(r"~~~|\$\$|\\\[|\\begin")
"""What some readers take for the beginning of a block, in which a fence is none, and others do not."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#!|~$&])")
_CODE_SPAN = re.compile(r"(`[^`]*`)")
_UNCLEAR_SPANS = re.compile(r"``|\](?=[(:])|://|www\.|[\\$@]")
"""What may take a backtick for its own, so that a reader pairs them otherwise: a link, mathematics."""
# By entities: a backslash before them would be undone by another one that the text brings.
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_HARMFUL = [
    (re.compile(r"!(?=\[)"), "&#33;"),
    (re.compile(r"\](?=\((?!<?https?://))", re.IGNORECASE), "&#93;"),
    (re.compile(r"\](?=:)"), "&#93;"),  # a definition, far from the link that it gives its address to
]


def to_markdown(result: "FusionResult") -> str:
    """Return a result's answer, its sources with the audit's verdicts, and a line on how it came about."""
    lines = [_source_line(citation) for citation in result.citations]
    sources = ["**Sources**", "\n".join(lines)] if lines else ["Sources: the answer cites none."]
    return "\n\n".join([_close_fence(harmless(result.answer)), *sources, f"*{escape(summary_line(result))}*"]) + "\n"


def summary_line(result: "FusionResult") -> str:
    """Return in one line how a result came about."""
    cited = len(result.citations)
    parts = [
        f"{result.status} ({' '.join(result.degraded)})" if result.degraded else result.status,
        f"{len(result.responses)} of {len(result.plan.seats)} seats",
        f"{cited} source{'' if cited == 1 else 's'} cited",
        format_cost(result.usage.cost_usd, result.usage.unpriced_calls),
        format_seconds(result.timing.total_seconds),
        f"run {result.run_id[:8]}",
    ]
    return one_line(", ".join(parts), 300)


def harmless(text: str) -> str:
    """Return a stranger's Markdown without HTML, pictures, and links to anything but the web.

    Code stays as it is where every reader of Markdown sees the same code.
    """
    lines = printable(text).split("\n")
    fences = [line.rstrip() for line in lines if "```" in line]
    is_plain = (
        len(fences) % 2 == 0
        and all(map(_FENCE.fullmatch, fences[::2]))
        and set(fences[1::2]) <= {"```"}
        and not _READ_IN_TWO_WAYS.search(text)
    )
    shown, paragraph, is_code = list[str](), list[str](), False
    for line in lines:
        is_fence = is_plain and "```" in line
        if is_code or is_fence or not line.strip():
            shown += [*_harmless_lines(paragraph, has_code=is_plain), line]
            paragraph, is_code = [], is_code ^ is_fence
        else:
            paragraph.append(line)
    return "\n".join(shown + _harmless_lines(paragraph, has_code=is_plain))


def _close_fence(text: str) -> str:
    """Return a text whose last block of code is closed: an answer that was cut leaves one open."""
    fence = ""
    for line in text.split("\n"):
        if found := _FENCE_LINE.match(line):
            mark, rest = found.groups()
            if not fence:
                fence = "" if mark[0] == "`" and "`" in rest else mark
            elif mark.startswith(fence) and not rest.strip():
                fence = ""
    return f"{text}\n{fence}" if fence else text


def _harmless_lines(paragraph: list[str], *, has_code: bool) -> list[str]:
    """Return the lines of a paragraph, inside which alone backticks find each other."""
    spans = [line.split("`")[1::2] for line in paragraph]
    has_code = (
        has_code
        and not any(line.count("`") % 2 for line in paragraph)
        and not any("|" in span for row in spans for span in row)  # where a table's cell would end
        and not _UNCLEAR_SPANS.search("\n".join(paragraph))
    )
    return [_harmless_line(line, has_code=has_code) for line in paragraph]


def _harmless_line(line: str, *, has_code: bool) -> str:
    for pattern, entity in _HARMFUL:
        line = pattern.sub(entity, line)
    parts = _CODE_SPAN.split(line) if has_code else [line]
    return "".join(part if number % 2 else _TAG.sub("&lt;", part) for number, part in enumerate(parts))


def escape(text: str) -> str:
    """Return a text of one line in which nothing is read as Markdown."""
    return _MARKUP.sub(r"\\\1", one_line(text, 300))


def _source_line(citation: "Citation") -> str:
    title, url = escape(citation.title or citation.url), one_line(citation.url, 2000)
    is_web = re.fullmatch(r"https?://[^\s<>()\\]+", url, re.IGNORECASE)
    place = f"[{title}]({url})" if is_web else f"{title} ({escape(url)})" if citation.title else title
    return f"{citation.number}. {place}: {VERDICT_LABELS[citation.support]}"
