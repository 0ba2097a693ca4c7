"""The audit of a text: every claim against every source that it cites.

This is the entry of the pipeline that the package's docstring lists: citations, claims, passages, checks, verdicts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fusion_tool.grounding.citations import NumberedText, number_citations
from fusion_tool.grounding.claims import find_sentences, makes_claim
from fusion_tool.grounding.passages import nearest_sources
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.grounding.support import Support, compare_claim

_WORST: tuple[Support, ...] = ("mismatch", "weak", "supported")
"""Verdicts, the worst first."""

_MARK = re.compile(r"\s*\[\d+\]")

_NEAR = 0.5
"""Share of an uncited claim's words that a passage must hold for its source to be proposed."""


@dataclass(frozen=True, slots=True)
class CitationVerdict:
    """The verdict on one place where a text cites a source.

    Args:
        claim: The sentence, or the part of it that the citation stands for, without its citations.
        id: The cited source's id.
        support: How far the source's text carries the claim.
        passage: The words of the source that were compared; empty where none speak of the matter.
        sentence: The sentence as it stands in the text.
        start: Offset in the text of the citation's bracket.
        end: Offset behind it.
    """

    claim: str
    id: str
    support: Support
    passage: str
    sentence: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class UncitedClaim:
    """A sentence that makes a claim and cites nothing that was retrieved.

    Args:
        sentence: The sentence as it stands in the text.
        start: Offset in the text of its first character.
        end: Offset behind its last character.
        source_id: The retrieved source that comes nearest to it; `None` where none is near.
        support: How far that source carries it; `None` where none is near.
        invented: Whether it cited a source that was never retrieved.
    """

    sentence: str
    start: int
    end: int
    source_id: str | None
    support: Support | None
    invented: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdicts on a text's citations.

    Args:
        verdicts: One row for each citation of a known source, in order of the text.
        unknown: Cited ids that were never retrieved, in order of first appearance, without repeats.
        invented: The number of citations of ids that were never retrieved.
        uncited: The claims without a citation, in order of the text; where nothing was retrieved, only those that cite
            what was not.
    """

    verdicts: tuple[CitationVerdict, ...]
    unknown: tuple[str, ...]
    invented: int
    uncited: tuple[UncitedClaim, ...]

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
    def balance(self) -> int:
        """The number of sentences that a retrieved source carries, cited or not, less those that are in doubt.

        In doubt are a mismatch and a citation of what was never retrieved. A sentence counts once, however many marks
        it has and however often it stands there.
        """
        rows = [(row.sentence, row.support, False) for row in self.verdicts]
        rows += [(row.sentence, row.support or "weak", row.invented) for row in self.uncited]
        carried, doubted = set[str](), set[str]()
        for sentence, support, invented in rows:
            words = _MARK.sub("", sentence)
            if invented or support == "mismatch":
                doubted.add(words)
            elif support == "supported":
                carried.add(words)
        return len(carried - doubted) - len(doubted)

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
    """Judge every citation of `text`, Markdown with citations by id; see `audit_numbered`."""
    return audit_numbered(number_citations(text, sources), sources)


def audit_numbered(text: NumberedText, sources: Mapping[str, RetrievedSource]) -> Audit:
    """Judge every citation of a text where it stands, and hold its uncited claims against all that was retrieved.

    Args:
        text: The text with its citations as numbers; offsets of the audit are in `text.text`.
        sources: The retrieved sources by id. A source's title is read along with its text.
    """
    if not sources and not text.invented:
        return Audit((), tuple(text.dropped), 0, ())  # nothing to hold a sentence against, and nothing that was made up
    texts = {key: f"{source['title']}\n\n{source['text']}" for key, source in sources.items()}
    verdicts: list[CitationVerdict] = []
    uncited: list[UncitedClaim] = []
    for prose in text.prose:
        for sentence in find_sentences(prose):
            written = prose.text[sentence.start : sentence.end]
            for claim in sentence.claims:
                for mark in claim.marks:
                    support, passage, _ = compare_claim(claim.text, texts[mark.id])
                    place = prose.locate(mark.start), prose.locate(mark.end)
                    verdicts.append(CitationVerdict(claim.text, mark.id, support, passage, written, *place))
            if not sentence.claims and (
                sentence.invented or (texts and sentence.is_prose and makes_claim(sentence.text))
            ):
                place = prose.locate(sentence.start), prose.locate(sentence.end)
                proposal = _propose_source(sentence.text, texts)
                uncited.append(UncitedClaim(written, *place, *proposal, invented=sentence.invented))
    return Audit(tuple(verdicts), tuple(text.dropped), text.invented, tuple(uncited))


def _propose_source(sentence: str, texts: Mapping[str, str]) -> tuple[str | None, Support | None]:
    """Return the source that comes nearest to an uncited sentence and its verdict; `None` where none is near."""
    best: tuple[bool, float, str, Support] | None = None
    for key in nearest_sources(sentence, texts, _NEAR):
        support, _, coverage = compare_claim(sentence, texts[key])
        rank = (support == "supported", coverage, key, support)
        if coverage >= _NEAR and (best is None or rank[:2] > best[:2]):
            best = rank
    return (best[2], best[3]) if best else (None, None)
