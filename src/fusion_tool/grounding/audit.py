"""The audit of a text: every cited sentence against every source it cites."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fusion_tool.grounding.grammar import Token, tokens
from fusion_tool.grounding.passages import split_sentences
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.grounding.support import Support, judge_support
from fusion_tool.grounding.wording import content_words

_WORST: tuple[Support, ...] = ("mismatch", "weak", "supported")
_CLAIM = 3
"""Content words that make the text before a citation a claim of its own; fewer, and it is part of the next."""


@dataclass(frozen=True, slots=True)
class CitationVerdict:
    """One citation judged.

    Args:
        claim: The sentence, or the part of it that the citation stands for, without its citations.
        id: The cited source's id.
        support: Whether the source bears the claim out.
    """

    claim: str
    id: str
    support: Support


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdicts on a text's citations.

    Args:
        verdicts: One row a claim and source, in order of the text.
        unknown: Cited ids that were never retrieved, in order of first appearance, without repeats.
    """

    verdicts: tuple[CitationVerdict, ...]
    unknown: tuple[str, ...]

    @property
    def support(self) -> dict[str, Support]:
        """The one verdict a source is shown with: the worst of its claims, in order of first citation.

        A reader who sees one label must be able to rely on it for every sentence that carries the number.
        """
        return {
            row.id: min((other.support for other in self.verdicts if other.id == row.id), key=_WORST.index)
            for row in self.verdicts
        }

    @property
    def counts(self) -> dict[str, int]:
        """How many verdicts are `supported`, `weak` and `mismatch`, and how many ids `unknown`."""
        given = [row.support for row in self.verdicts]
        return {
            "supported": given.count("supported"),
            "weak": given.count("weak"),
            "mismatch": given.count("mismatch"),
            "unknown": len(self.unknown),
        }


def audit_citations(text: str, sources: Mapping[str, RetrievedSource]) -> Audit:
    """Judge every citation of `text`.

    A citation belongs to the sentence it stands in or, behind a full stop, to the one before. Where a
    sentence holds several citations, each stands for the words since the one before it; if those are too
    few to claim anything, for the whole sentence. A citation alone on its line belongs to the line before.

    Args:
        text: Markdown with citations by id.
        sources: What was retrieved, by id. A source's title is read along with its text.
    """
    known = frozenset(sources)
    cited = [token for token in tokens(text, known) if token.kind == "citation"]
    verdicts: dict[tuple[str, str], CitationVerdict] = {}
    for claim, ids in _claims(text, cited):
        for found in ids:
            if found in known and (claim, found) not in verdicts:
                source = sources[found]
                support = judge_support(claim, f"{source['title']}\n\n{source['text']}")
                verdicts[claim, found] = CitationVerdict(claim, found, support)
    unknown = dict.fromkeys(found for token in cited for found in token.ids if found not in known)
    return Audit(tuple(verdicts.values()), tuple(unknown))


def _claims(text: str, cited: list[Token]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each citation's claim and ids."""
    bare, marked = text, text
    for token in cited:
        bare = _overwrite(bare, token, " " * len(token.raw))
        marked = _overwrite(marked, token, f"[{'.' * (len(token.raw) - 2)}]")
    before = ""
    spans = split_sentences(marked)
    for i, (start, end) in enumerate(spans):
        until = spans[i + 1][0] if i + 1 < len(spans) else len(text)
        here = [token for token in cited if start <= token.start < until]
        whole = " ".join(bare[start:end].split())
        if not whole.strip(" .,;:()[]-*_") and before:
            whole = before
        edge = start
        for n, token in enumerate(here):
            last = n == len(here) - 1
            part = " ".join(bare[edge : end if last else token.start].split()).lstrip(" ,;.:")
            own = len(here) > 1 and len(content_words(part)) >= _CLAIM
            yield (part if own else whole), token.ids
            edge = token.start + len(token.raw) if own else edge
        before = whole or before


def _overwrite(text: str, token: Token, mask: str) -> str:
    return text[: token.start] + mask + text[token.start + len(mask) :]
