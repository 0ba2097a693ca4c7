"""Checks of an answer's form, whatever it says: empty, cut off, leaked reasoning, text about itself, a refusal.

The checks are patterns over the text; no model is asked.
"""

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from fusion_tool.graph.result import FusionResult
from fusion_tool.grounding.support import Support

_FLAGS = re.IGNORECASE | re.VERBOSE

THOUGHT = re.compile(
    r"</?(?:think|thinking|reasoning|scratchpad)> | <\|(?:channel|start|end|message)\|>",
    _FLAGS,
)
"""Markers that servers put around reasoning, anywhere in the text."""

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
"""Openings of reasoning that was returned as the answer; matched at its start only."""

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
"""Text about how the answer was made, which no reader should see."""

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
"""Openings of a refusal."""

_SHORT = 80
"""Words up to which a text may be nothing but a refusal, or a heading without a full stop."""

_CITATION = re.compile(r"\[\d+(?:\s*[,;]\s*\d+)*\](?!\()|\]\(https?://")
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_SOURCES = re.compile(r"^[#*\s]*(?:sources|references|citations)[:*\s]*$.*", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_END = re.compile(r"[.!?:;)\]}|\"'\u201d\u2019`*_>\u3002\uff01\uff1f\u2026]\s*$|https?://\S+\s*$")


class Hygiene(BaseModel):
    """The faults of one answer's form.

    Args:
        empty: Whether it is nothing but white space.
        truncated: Whether its provider cut it off, a code block never closes, or a long text stops without a full stop.
        reasoning_leaked: Whether it holds a reasoning tag, or begins by thinking aloud.
        meta_text: Whether it speaks of itself: as an AI, of "the panel's answers", of "Answer A".
        refused: Whether it is a short text that declines.
        words: Number of words without code and the list of sources.
        citations: Number of citations.
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
        """Whether it has none of the faults; a refusal is no fault."""
        return not (self.empty or self.truncated or self.reasoning_leaked or self.meta_text)


def check_answer(answer: str, *, support: Sequence[Support] | None = None, is_cut_off: bool = False) -> Hygiene:
    """Check one answer.

    Args:
        answer: The text as a reader sees it.
        support: The audit's verdict on each cited source; `None` where no audit was made.
        is_cut_off: Whether its provider reported that it stopped at the token limit.
    """
    text = _SOURCES.sub("", answer).strip()  # the list's numbers are no citations, and its last line has no full stop
    # Code is left out: an answer about reasoning tags or prompts quotes them there.
    prose = _CODE.sub(" ", text)
    words = len(prose.split())
    return Hygiene(
        empty=not answer.strip(),
        truncated=is_cut_off or _breaks_off(text, words),
        reasoning_leaked=bool(THOUGHT.search(prose) or THINKING_ALOUD.match(prose.lstrip(" \n*#>_"))),
        meta_text=bool(META.search(prose)),
        # Only short texts: a long one that begins "I cannot provide legal advice, but" goes on to answer.
        refused=words <= _SHORT and bool(REFUSAL.match(prose.lstrip())),
        words=words,
        citations=len(_CITATION.findall(prose)),
        support=None if support is None else tuple(support),
    )


def check_result(result: FusionResult) -> Hygiene:
    """Return what is wrong with a run's answer, with the audit of its citations."""
    return check_answer(result.answer, support=[citation.support for citation in result.citations])


def _breaks_off(text: str, words: int) -> bool:
    if text.count("```") % 2:
        return True
    last = text.rsplit("\n", 1)[-1]
    # A list item, a table row or a heading may end without a full stop.
    is_item = re.match(r"\s*(?:[-*+]|\d+[.)]|\||#)", last)
    return words > _SHORT and not is_item and not _END.search(text)
