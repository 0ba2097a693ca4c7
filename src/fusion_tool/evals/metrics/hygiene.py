"""What is wrong with an answer whatever it says: nothing in it, cut off, thinking aloud, talking of itself."""

import re
from collections.abc import Iterable, Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from fusion_tool.graph.result import FusionResult, Support

_FLAGS = re.IGNORECASE | re.VERBOSE

THOUGHT = re.compile(
    r"</?(?:think|thinking|reasoning|scratchpad)> | <\|(?:channel|start|end|message)\|>",
    _FLAGS,
)
"""Marks that servers put around reasoning, anywhere."""

THINKING_ALOUD = re.compile(
    r"""
    (?:okay|ok|alright|hmm+|well|right) [,.]? \s+ (?:so\s+)?
        (?:the\ user|let\ me|let's|i\ need\ to|i\ have\ to|i\ should|so) \b
    | (?:the\ )?user\ (?:asks|is\ asking|wants|asked|has\ asked) \b
    | (?:let\ me|let's|i\ need\ to|i\ should|we\ need\ to) \s+
        (?:think|figure|start\ by|break|recall|answer|respond|craft|analy[sz]e) \b
    | (?:my\ |the\ )?(?:thinking|thought)\ process \b
    """,
    _FLAGS,
)
"""How reasoning begins that was taken for the answer; only at its start."""

META = re.compile(
    r"""
    \b as\ an? \ (?:ai|artificial\ intelligence|(?:large\ )?language\ model) (?:\ [a-z]+){0,2} ,? \s i \b
    | \b (?:panel(?:ist)?s?['\u2019]s? | panelist['\u2019]s) \ (?:answers?|responses?|replies) \b
    | \b the\ (?:panelists|panel\ answers|panel\ responses) \b
    | \b answers?\ [A-H] (?:,?\ (?:and|or)\ [A-H])* \s+
        (?:says?|states?|claims?|notes?|agrees?|disagrees?|mentions?|argues?|alone) \b
    | \b (?:according\ to|as\ noted\ in|as\ stated\ (?:in|by))\ answer\ [A-H] \b
    | \b my\ (?:system\ prompt|training\ data|knowledge\ cut-?off) \b
    """,
    _FLAGS,
)
"""What a reader should never see: the answer's own making."""

REFUSAL = re.compile(
    r"""
    (?:i['\u2019]?m\ sorry|i\ am\ sorry|sorry|apologies|i\ apologi[sz]e|unfortunately)? [,.;\s]* (?:but\s+)?
    (?:
        i\ (?:can(?:not|['\u2019]t|\ not)|won['\u2019]t|will\ not) \s+
            (?:help|assist|answer|provide|comply|fulfil|do\ (?:that|this)|discuss|engage|support|continue)
        | i(?:['\u2019]m|\ am)\ (?:not\ able|unable) \s+ to \s+
            (?:help|assist|answer|provide|comply|fulfil|discuss|engage|continue)
        | i\ (?:must\ |have\ to\ )?decline
    ) \b
    """,
    _FLAGS,
)
"""How a refusal begins."""


_SHORT = 80
"""Words up to which a text may be nothing but a refusal, or a heading without a full stop."""

_CITATION = re.compile(r"\[\d+(?:\s*[,;]\s*\d+)*\](?!\()|\]\(https?://")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_SOURCES = re.compile(r"^[#*\s]*(?:sources|references|citations)[:*\s]*$.*", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_END = re.compile(r"[.!?:;)\]}|\"'\u201d\u2019`*_>\u3002\uff01\uff1f\u2026]\s*$|https?://\S+\s*$")


class Hygiene(BaseModel):
    """What is wrong with one answer.

    Args:
        empty: Nothing but white space.
        truncated: Its provider cut it off, a code block never closes, or a long text stops without a full stop.
        reasoning_leaked: It holds a reasoning tag, or begins by thinking aloud.
        meta_text: It talks of itself: as an AI, of "the panel's answers", of "Answer A".
        refused: A short text that declines.
        words: Its length, code and list of sources aside.
        citations: How often it cites.
        support: The audit's verdict on each cited source; `None` where no audit was made.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    empty: bool
    truncated: bool
    reasoning_leaked: bool
    meta_text: bool
    refused: bool
    words: int
    citations: int
    support: tuple[Support, ...] | None = None

    @property
    def clean(self) -> bool:
        """Nothing is wrong with it."""
        return not (self.empty or self.truncated or self.reasoning_leaked or self.meta_text)


class ArmHygiene(BaseModel):
    """The hygiene of an arm's answers: counts, and citations a thousand words and the share of them `supported`.

    `citations_per_1000_words` and `supported` are `None` where there is nothing to count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: int
    empty: int
    truncated: int
    reasoning_leaked: int
    meta_text: int
    citations_per_1000_words: float | None
    supported: float | None


def hygiene(answer: str, *, support: Sequence[Support] | None = None, is_cut_off: bool = False) -> Hygiene:
    """Inspect one answer.

    Args:
        answer: As a reader sees it.
        support: The audit's verdict on each cited source.
        is_cut_off: Its provider said that it stopped at the token limit.
    """
    text = _SOURCES.sub("", answer).strip()
    prose = _CODE.sub(" ", text)
    words = len(prose.split())
    return Hygiene(
        empty=not answer.strip(),
        truncated=is_cut_off or _breaks_off(text, words),
        reasoning_leaked=bool(THOUGHT.search(prose) or THINKING_ALOUD.match(prose.lstrip(" \n*#>_"))),
        meta_text=bool(META.search(prose)),
        refused=words <= _SHORT and bool(REFUSAL.match(prose.lstrip())),
        words=words,
        citations=len(_CITATION.findall(prose)),
        support=None if support is None else tuple(support),
    )


def hygiene_of(result: FusionResult) -> Hygiene:
    """The hygiene of a run's answer, with its audit."""
    return hygiene(result.answer, support=[citation.support for citation in result.citations])


def hygiene_of_arm(answers: Iterable[Hygiene]) -> ArmHygiene:
    """The hygiene of an arm's answers together."""
    rows = list(answers)
    words, audited = sum(row.words for row in rows), [verdict for row in rows for verdict in row.support or ()]
    return ArmHygiene(
        answers=len(rows),
        empty=sum(row.empty for row in rows),
        truncated=sum(row.truncated for row in rows),
        reasoning_leaked=sum(row.reasoning_leaked for row in rows),
        meta_text=sum(row.meta_text for row in rows),
        citations_per_1000_words=sum(row.citations for row in rows) / words * 1000 if words else None,
        supported=fmean(row == "supported" for row in audited) if audited else None,
    )


def _breaks_off(text: str, words: int) -> bool:
    if text.count("```") % 2:
        return True
    last = text.rsplit("\n", 1)[-1]
    listed = re.match(r"\s*(?:[-*+]|\d+[.)]|\||#)", last)
    return words > _SHORT and not listed and not _END.search(text)
