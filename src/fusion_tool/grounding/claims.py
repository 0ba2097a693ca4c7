"""The claims of a numbered text: its sentences, the citations of each, and what a citation stands for."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fusion_tool.grounding.citations import CitationMark, Prose
from fusion_tool.grounding.framing import is_pointer
from fusion_tool.grounding.passages import split_sentences
from fusion_tool.grounding.wording import content_words, normalize_text

_CLAIM_WORDS = 3
"""Content words that make a text a claim of its own; with fewer ("Paris [1]") it is none."""

_EMPTY = " \t\n.,;:()[]-*_"
"""What may stand around a citation that is alone."""

_FENCED = re.compile(r"^[ \t>]*(?P<fence>`{3,}|~{3,}).*?(?:^[ \t>]*(?P=fence)|\Z)", re.MULTILINE | re.DOTALL)
_DIGIT = re.compile(r"\d")
_NO_PROSE = re.compile(r"[ \t>]*(?:#{1,6}[ \t]|\|)")


@dataclass(frozen=True, slots=True)
class CitedClaim:
    """A claim and the citations that back it.

    Args:
        text: The sentence, or the part of it that the citations stand for, without citations.
        marks: The citations; they stand beside one another.
    """

    text: str
    marks: tuple[CitationMark, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text.

    Args:
        text: Without its citations, on one line.
        start: Offset of its first character.
        end: Offset behind its last character.
        claims: Its cited claims, in order; empty where it cites nothing that was retrieved.
        invented: Whether it cites a source that was never retrieved.
        is_prose: Whether it is neither a heading, a table's row nor in a block of code.
    """

    text: str
    start: int
    end: int
    claims: tuple[CitedClaim, ...]
    invented: bool
    is_prose: bool


def find_sentences(prose: Prose) -> list[Sentence]:
    """Return the sentences of `prose` with their citations, in order.

    A citation belongs to the sentence it stands in or, behind a full stop, to the one before. Where a
    sentence holds several citations, each stands for the words since the one before it; if those are too
    few to claim anything, for the whole sentence. A citation alone on its line belongs to the line before.
    """
    text, bare = prose.text, prose.text
    for mark in prose.marks:  # blanks in place of the citations keep every offset
        bare = bare[: mark.start] + " " * (mark.end - mark.start) + bare[mark.end :]
    code = [block.span() for block in _FENCED.finditer(text)]
    sentences: list[Sentence] = []
    for start, end, until in _spans(text, bare):
        # The first sentence has what stands before it, too: a citation that was dropped there leaves its place.
        marks = [mark for mark in prose.marks if (start if sentences else 0) <= mark.start < until]
        known = [mark for mark in marks if mark.start < mark.end]
        words = " ".join(bare[start:end].split())
        line = text[text.rfind("\n", 0, start) + 1 :]
        is_prose = not _NO_PROSE.match(line) and not any(first <= start < last for first, last in code)
        claims = tuple(_cited_claims(bare, words, (start, end), known))
        sentences.append(Sentence(words, start, end, claims, len(known) < len(marks), is_prose))
    return sentences


def _spans(text: str, bare: str) -> Iterator[tuple[int, int, int]]:
    """Yield start and end of each sentence, and where the next one begins; bare citations belong to the one before."""
    spans = split_sentences(text)
    with_words = [i for i, (start, end) in enumerate(spans) if not i or bare[start:end].strip(_EMPTY)]
    for i, following in zip(with_words, [*with_words[1:], len(spans)], strict=False):
        yield *spans[i], spans[following][0] if following < len(spans) else len(text) + 1


def makes_claim(sentence: str) -> bool:
    """Tell whether a sentence, without citations, says something that a source could carry."""
    if sentence.endswith((":", "?")) or is_pointer(normalize_text(sentence)):
        return False
    return len(content_words(sentence)) + bool(_DIGIT.search(sentence)) >= _CLAIM_WORDS


def _cited_claims(
    bare: str, sentence: str, span: tuple[int, int], marks: Sequence[CitationMark]
) -> Iterator[CitedClaim]:
    groups = _groups(bare, marks)
    start, end = span
    for i, cited in enumerate(groups):
        # The words behind the last citation have no citation of their own: they are part of its claim.
        stop = end if i == len(groups) - 1 else cited[0].start
        part = " ".join(bare[start:stop].split()).lstrip(" ,;.:()")
        is_claim = len(groups) > 1 and len(content_words(part)) >= _CLAIM_WORDS
        yield CitedClaim(part if is_claim else sentence, tuple(cited))
        start = cited[-1].end if is_claim else start


def _groups(bare: str, marks: Sequence[CitationMark]) -> list[list[CitationMark]]:
    """Return the citations that stand beside one another together: they back the same words."""
    groups: list[list[CitationMark]] = []
    for mark in marks:
        if groups and not bare[groups[-1][-1].end : mark.start].strip(" \t\n.,;"):
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return groups
