"""How a model gives itself away in an answer: thinking aloud, speaking of itself, declining."""

import re

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
