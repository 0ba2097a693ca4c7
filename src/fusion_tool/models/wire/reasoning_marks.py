"""The marks between which models reason, where a server leaves their reasoning in the content.

Sources: the models' chat templates and the reasoning parsers of vLLM (`reasoning`) and SGLang
(`reasoning_parser`), as published in 2026; OpenAI's harmony format for the channels of gpt-oss.
"""

# ruff: noqa: RUF001

from dataclasses import dataclass
from string import printable

import regex  # it tells a text that can still become a match from one that cannot

_NAMES = (
    r"(?:[a-z]+_)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratch_?pad|monologue)(?:_[a-z0-9]+)*"
    "|antthinking|chain_of_thought|cot|seed:cot_budget_reflect"
)
_SPACED = r"(?:[a-z]+:)?"
"""Seed-OSS writes `<seed:think>`, MiniMax M3 `<mm:think>`."""


@dataclass(frozen=True)
class ReasoningMark:
    """One notation.

    Args:
        opens: Matches its beginning.
        closes: Matches its end.
        is_sure: Whether it means reasoning even if it is never closed.
    """

    opens: regex.Pattern[str]
    closes: regex.Pattern[str]
    is_sure: bool = True


def _mark(opens: str, closes: str) -> ReasoningMark:
    return ReasoningMark(regex.compile(opens, regex.IGNORECASE), regex.compile(closes, regex.IGNORECASE))


MARKS = (
    _mark(rf"<{_SPACED}(?:{_NAMES})(?:\s[^<>\n]{{0,80}})?>", rf"</{_SPACED}(?:{_NAMES})\s*>"),
    _mark(r"\[THINK\]", r"\[/THINK\]"),  # Magistral
    _mark(r"◁think▷", r"◁/think▷"),  # Kimi-VL
    _mark(r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),  # OpenThinker, Sky-T1
    _mark(r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Command A
    _mark(r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),  # Apertus
    _mark(r"<\|open\|>think<\|sep\|>", r"<\|close\|>think<\|sep\|>"),  # Kimi K3
    _mark(r"(?:<\|begin\|>assistant)?<\|think\|>", r"<\|end\|>|(?=<\|content\|>)"),  # Solar
    _mark(r'<details type="reasoning"[^<>\n]{0,80}>', r"</details>"),  # Open WebUI
    _mark(r"<\|channel>thought[ \t]*\n?", r"<channel\|>"),  # Gemma 4
    _mark(  # gpt-oss; the commentary channel with a recipient is a tool call, and stays
        r"(?:<\|start\|>assistant)?<\|channel\|>(?:analysis|commentary)\s*(?:<\|constrain\|>\w+)?<\|message\|>",
        r"<\|end\|>|<\|return\|>|(?=<\|start\|>|<\|channel\|>)",
    ),
    ReasoningMark(
        regex.compile(r"analysis(?=[A-Z][a-z'])"), regex.compile(r"assistantfinal"), is_sure=False
    ),  # tokens lost
    ReasoningMark(  # Granite 3
        regex.compile(r"Here(?:'s| is) my thought process:"),
        regex.compile(r"Here(?:'s| is) my response:"),
        is_sure=False,
    ),
)

CLOSES_ALONE = regex.compile(
    rf"</{_SPACED}(?:{_NAMES})\s*>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>|<\|END_THINKING\|>|<\|inner_suffix\|>"
    r"|<\|close\|>think<\|sep\|>|<channel\|>"
    r"|(?:(?:<\|start\|>)?assistant)?<\|channel\|>final\s*(?:<\|constrain\|>\w+)?<\|message\|>",
    regex.IGNORECASE,
)
"""Ends of reasoning whose beginning the prompt's template wrote, so that it is not in the text."""


def find_closing(text: str, start: int = 0) -> "regex.Match[str] | None":
    """Return the first match of `CLOSES_ALONE` from `start` on; `None` where there is none."""
    # Each of them holds one of these, most texts none; the search would try every place of a text.
    return CLOSES_ALONE.search(text, start) if "<" in text or "[/" in text or "◁" in text else None


OPENS_ANY = regex.compile("|".join(f"(?:{mark.opens.pattern})" for mark in MARKS if mark.is_sure), regex.IGNORECASE)

ANSWER_TOKENS = regex.compile(
    r"(?:(?:<\|start\|>)?assistant)?<\|channel\|>final\s*(?:<\|constrain\|>\w+)?<\|message\|>|<\|begin_of_solution\|>"
    r"|<\|START_RESPONSE\|>|<\|open\|>response<\|sep\|>|(?:<\|begin\|>assistant)?<\|content\|>"
    r"|<\|from\|>\s*assistant\s*<\|recipient\|>\s*all\s*<\|content\|>|>>>all\n",
    regex.IGNORECASE,
)
"""What may stand between the reasoning and the answer, and belongs to neither."""

HEADS = regex.compile(
    r"\A(?:[\s\ufeff\u200b]|<\|im_start\|>assistant\b|<\|start_header_id\|>assistant<\|end_header_id\|>"
    r"|<\|message\|>|<s>(?=\s*<))+",
    regex.IGNORECASE,
)
"""White space, and what a template puts before any message: it says nothing about what follows."""

ANSWER_TAGS = regex.compile(r"<(?:answer|final_answer|final|response|output)>", regex.IGNORECASE)
"""The same, but also a tag that an answer may write about: it counts after reasoning alone (Hunyuan, Reflection)."""

BEGINNINGS = (*(mark.opens for mark in MARKS), HEADS, ANSWER_TOKENS, ANSWER_TAGS, CLOSES_ALONE)
"""All that may stand before an answer, but for reasoning itself."""
_FIRST_CHARACTERS = frozenset(
    char for char in f"{printable}◁\ufeff\u200b" if any(pattern.match(char, partial=True) for pattern in BEGINNINGS)
)


def begins_with_mark(text: str) -> bool:
    """Tell whether one of `BEGINNINGS` may stand at the beginning of `text`; where it says no, none does."""
    # Each of them costs a search, and most texts begin with a letter.
    return text[:1] in _FIRST_CHARACTERS or text[:1].isspace()


_END_TOKENS = (
    r"<\|(?:return|end|im_end|eot_id|eom_id|eot|eos|end_?of_?text|end_of_solution|END_RESPONSE|END_OF_TURN_TOKEN"
    r"|user|observation)\|>|</s>|<eos>|<end_of_turn>|<turn\|>|<[|｜]end▁of▁sentence[|｜]>"
    r"|<\|close\|>(?:response|message)<\|sep\|>"
)
END = regex.compile(rf"\s+|{_END_TOKENS}", regex.IGNORECASE)
"""White space, or a token that ends a message: a server that leaves them in says nothing by it."""

END_IN_TAGS = regex.compile(rf"{END.pattern}|</(?:answer|final_answer|final|response|output)>", regex.IGNORECASE)
"""The same, where the answer stands in tags."""

TOOL_CALL_OPENS = regex.compile(
    r"<(?:[a-z]+:)?(?:tool_calls?|function_calls)>|<function=|<\|tool_calls?_(?:section_)?begin\|>"
    r"|<｜tool▁calls▁begin｜>|\[TOOL_CALLS\]"
)
"""Some models call a tool before they have closed their reasoning (Qwen3.5, GLM, Kimi K2): the call is none of it."""
BEGINS_THOUGHT = regex.compile(
    r"(?:(?:ok(?:ay)?|alright|hmm?|wait|well|right|so|now|first)\b[,.:! ]*)*"
    r"(?:the user\b|user(?:'s)? (?:asks|wants|question)|let(?:'s| me| us)\b|we (?:need|have to|are|should|must)\b"
    r"|i (?:need|should|must|have to|will|think|want|am|recall)\b|i['’](?:ll|m|d)\b|thinking\b|looking at\b"
    r"|to answer\b|(?:ok(?:ay)?|alright|hmm?|wait)\b|用户|好的|嗯|首先)",
    regex.IGNORECASE,
)
"""How a model thinks aloud where it was trained to: a text that begins so waits for its closing mark, or its end."""
