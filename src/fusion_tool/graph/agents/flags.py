"""The sentences of an answer that the audit flagged, as a judge reads them: each with the words of its source."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fusion_tool.events import one_line
from fusion_tool.grounding.audit import Audit
from fusion_tool.grounding.passages import EXCERPT

MOST_FLAGS = 8
"""The most flagged sentences of one answer that a judge is shown."""
_HEADING = 40
"""What stands around a flag's two texts, in characters, from above."""
FLAGS_BYTES = 4 * MOST_FLAGS * (2 * EXCERPT + _HEADING)
"""Bytes of one answer's flags in a prompt, at most."""

_WEIGHTS = ("mismatch", "invented", "weak")


class Flag(NamedTuple):
    """A sentence that the audit flagged.

    Args:
        verdict: `mismatch`, `weak`, or `invented` where it cites a source that was never retrieved.
        claim: The sentence, or the part of it that the citation stands for, without citations.
        passage: The words of the cited source that come nearest; empty where none speak of the matter.
    """

    verdict: str
    claim: str
    passage: str

    @property
    def source(self) -> str:
        """What its source says of the matter."""
        if self.verdict == "invented":
            return "Its source was never retrieved:"
        return f'Its source: "{self.passage}"' if self.passage else "Its source says nothing on the matter:"

    @property
    def size(self) -> int:
        """The characters that it has in a prompt, at most."""
        return len(self.claim) + len(self.source) + _HEADING


def flags_of(audit: Audit, most: int = MOST_FLAGS) -> tuple[Flag, ...]:
    """Return the flagged sentences of an answer, each once, the worst first.

    Args:
        audit: The answer's.
        most: How many of them.
    """
    by_claim: dict[str, Flag] = {}
    for flag in sorted(_flags(audit), key=lambda flag: _WEIGHTS.index(flag.verdict)):
        by_claim.setdefault(flag.claim, flag)
    return tuple(by_claim.values())[:most]


def render_flags(flags: Iterable[tuple[str, Flag]]) -> str:
    """Return flagged sentences with their answers' letters, beneath the words of their sources, which stand once.

    Args:
        flags: Letters and flags; of each letter the worst first.
    """
    by_source: dict[str, list[tuple[str, Flag]]] = {}
    for letter, flag in sorted(flags, key=lambda pair: _WEIGHTS.index(pair[1].verdict)):
        by_source.setdefault(flag.source, []).append((letter, flag))
    return "\n".join(
        "\n".join([source, *(f"- {letter}, {flag.verdict}: {flag.claim}" for letter, flag in rows)])
        for source, rows in by_source.items()
    )


def _flags(audit: Audit) -> Iterator[Flag]:
    # Of several sources it is enough that one carries the claim; what another contradicts is flagged all the same.
    carried = {row.claim for row in audit.verdicts if row.support == "supported"}
    for row in audit.verdicts:
        if row.support == "mismatch" or (row.support == "weak" and row.claim not in carried):
            yield Flag(row.support, tidy_claim(row.claim), one_line(row.passage, EXCERPT))
    for sentence in audit.uncited:
        if sentence.invented:
            yield Flag("invented", tidy_claim(sentence.sentence), "")


def tidy_claim(claim: str) -> str:
    """Return a claim as one line of 400 characters at most, without the blanks that citations left."""
    # A citation that was taken out leaves its blank before the full stop.
    return re.sub(r"\s+(?=[.,;:!?](?:\s|$))", "", one_line(claim, EXCERPT))
