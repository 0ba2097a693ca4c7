"""The audit of a text: every claim against every source that it cites.

This is the entry of the pipeline that the package's docstring lists: citations, claims, passages, checks, verdicts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fusion_tool.grounding.grammar import Token, tokens
from fusion_tool.grounding.passages import split_sentences
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.grounding.support import Support, judge_support
from fusion_tool.grounding.wording import content_words

_WORST: tuple[Support, ...] = ("mismatch", "weak", "supported")
"""Verdicts, the worst first."""

_CLAIM_WORDS = 3
"""Content words that make the text before a citation a claim of its own; with fewer ("Paris [a]") it is none."""


@dataclass(frozen=True, slots=True)
class CitationVerdict:
    """The verdict on one claim and one of the sources cited for it.

    Args:
        claim: The sentence, or the part of it that the citation stands for, without its citations.
        id: The cited source's id.
        support: How far the source's text carries the claim.
    """

    claim: str
    id: str
    support: Support


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdicts on a text's citations.

    Args:
        verdicts: One row for each claim and source, in order of the text.
        unknown: Cited ids that were never retrieved, in order of first appearance, without repeats.
    """

    verdicts: tuple[CitationVerdict, ...]
    unknown: tuple[str, ...]

    @property
    def support(self) -> dict[str, Support]:
        """The verdict that each cited source is shown with, by id: its worst, in order of first citation.

        A reader who sees one label must be able to rely on it for every sentence that carries the number.
        """
        return {
            row.id: min((other.support for other in self.verdicts if other.id == row.id), key=_WORST.index)
            for row in self.verdicts
        }

    @property
    def counts(self) -> dict[str, int]:
        """The number of verdicts that are `supported`, `weak` and `mismatch`, and of ids that are `unknown`."""
        verdicts = [row.support for row in self.verdicts]
        return {
            "supported": verdicts.count("supported"),
            "weak": verdicts.count("weak"),
            "mismatch": verdicts.count("mismatch"),
            "unknown": len(self.unknown),
        }


def audit_citations(text: str, sources: Mapping[str, RetrievedSource]) -> Audit:
    """Judge every citation of `text`.

    A citation belongs to the sentence it stands in or, behind a full stop, to the one before. Where a
    sentence holds several citations, each stands for the words since the one before it; if those are too
    few to claim anything, for the whole sentence. A citation alone on its line belongs to the line before.

    Args:
        text: Markdown with citations by id, before `citations` turns them into numbers.
        sources: The retrieved sources by id. A source's title is read along with its text.
    """
    known_ids = frozenset(sources)
    citations = [token for token in tokens(text, known_ids) if token.kind == "citation"]
    if not citations:
        return Audit((), ())
    # By claim and source: the same source cited twice for a sentence is one verdict, not two for the counts.
    verdicts: dict[tuple[str, str], CitationVerdict] = {}
    for claim, ids in _claims(text, citations):
        for source_id in ids:
            if source_id in known_ids and (claim, source_id) not in verdicts:
                source = sources[source_id]
                support = judge_support(claim, f"{source['title']}\n\n{source['text']}")
                verdicts[claim, source_id] = CitationVerdict(claim, source_id, support)
    unknown = dict.fromkeys(source_id for token in citations for source_id in token.ids if source_id not in known_ids)
    return Audit(tuple(verdicts.values()), tuple(unknown))


def _claims(text: str, citations: list[Token]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each citation's claim and ids."""
    # Both copies keep every offset: `bare` is what a claim's words are taken from; in `masked` a citation is a plain
    # bracket, since the full stop of "p. 3" within one would end the sentence.
    bare, masked = text, text
    for token in citations:
        bare = _overwrite(bare, token, " " * len(token.raw))
        masked = _overwrite(masked, token, f"[{'.' * (len(token.raw) - 2)}]")
    previous = ""
    spans = split_sentences(masked)
    for i, (start, end) in enumerate(spans):
        until = spans[i + 1][0] if i + 1 < len(spans) else len(text)
        here = [token for token in citations if start <= token.start < until]
        sentence = " ".join(bare[start:end].split())
        if not sentence.strip(" .,;:()[]-*_") and previous:
            sentence = previous
        part_start = start
        for n, token in enumerate(here):
            # The words behind the last citation have no citation of their own: they are part of its claim.
            part_end = end if n == len(here) - 1 else token.start
            part = " ".join(bare[part_start:part_end].split()).lstrip(" ,;.:")
            is_claim = len(here) > 1 and len(content_words(part)) >= _CLAIM_WORDS
            yield (part if is_claim else sentence), token.ids
            part_start = token.start + len(token.raw) if is_claim else part_start
        previous = sentence or previous


def _overwrite(text: str, token: Token, mask: str) -> str:
    return text[: token.start] + mask + text[token.start + len(mask) :]
