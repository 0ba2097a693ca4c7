"""What small models spoil: replies that hold the prompt's marks, its rules, its schema, a letter, another language.

Only replies of models on servers of the user's own are looked at: these are small, and their servers apply templates
that providers have tried out. A spoiled reply is asked for again once; after that what is left of it stands, marked.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.prompts import render
from fusion_tool.grounding.closed_answers.question import options
from fusion_tool.grounding.passages import split_sentences
from fusion_tool.grounding.wording import words
from fusion_tool.models.call import ModelCallError, ModelReply
from fusion_tool.models.faults import Fault
from fusion_tool.models.json_reader import parse_json
from fusion_tool.models.providers import has_own_server
from fusion_tool.models.schema_echo import fill_in, is_schema
from fusion_tool.routing.classifier.language import language_of

TEMPLATE_MARK = re.compile(
    r"<\|(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|system|user|assistant|end)\|>"
    r"|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>|^###\s?(?:Instruction|Response|Human|Assistant)s?:?[ \t]*$",
    re.MULTILINE,
)
"""The marks of chat templates; none of them stands in a text by chance."""
_OPENING = re.compile(
    r"\A\s*(?:<s>|<\|im_start\|>\s*assistant\b|<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>|<\|assistant\|>"
    r"|<start_of_turn>\s*model\b|###\s?(?:Response|Assistant):?[ \t]*\n)\s*"
)
_CLOSING = re.compile(rf"(?:\s*(?:</s>|{TEMPLATE_MARK.pattern}))+\s*\Z", re.MULTILINE)
_FENCE = re.compile(r"\A\s*```(\w*)[ \t]*\n(.*?)\n?[ \t]*```\s*\Z", re.DOTALL)
_TEXT_TAGS = frozenset({"markdown", "md", "text", "txt", "plaintext"})
_PROSE = re.compile(r"(?:[.!?]|\[[0-9a-f]{8}\])[\"*)]*\s*\Z")
_LETTER = re.compile(
    r"(?P<named>(?:the\s+)?(?:final\s+)?(?:answer|option)(?:\s+is)?:?\s+)?[(\[]?[A-K][)\].]*", re.IGNORECASE
)
_LANGUAGES = re.compile(
    r"\b(?:english|german|french|spanish|italian|portuguese|dutch|russian|chinese|japanese|korean|arabic|latin|polish"
    r"|deutsch\w*|englisch\w*|fran[cç]ais\w*|anglais\w*|español\w*|ingl[eé]s\w*|italiano|inglese|translat\w+|übersetz\w+"
    r"|tradu\w+)\b",
    re.IGNORECASE,
)
"""Words by which a question may want its answer in another language than its own."""
_RULE_WORDS, _SURE_WORDS = 6, 8
"""The fewest words of a sentence that is known as one of the rules, and of an answer whose language is sure."""


class Inspection(NamedTuple):
    """What of a reply is an answer, and what is wrong with the reply; empty where nothing is."""

    text: str
    fault: str = ""


Inspect: TypeAlias = Callable[[str], Inspection]


def inspector(
    panelist: Panelist, question: str, *, rules: str = "", is_json: bool = False, any_language: bool = False
) -> Inspect | None:
    """Return what looks at the replies of `panelist`; `None` where these are not looked at.

    Args:
        panelist: Who replies.
        question: What is asked.
        rules: The system prompt, whose sentences are no answer.
        is_json: Whether the answer is an object of the caller's schema.
        any_language: Whether the caller may have named another language than the question's.
    """
    looks = partial(inspect_reply, question=question, rules=rules, is_json=is_json, any_language=any_language)
    return looks if has_own_server(panelist) else None


def inspect_reply(
    text: str, *, question: str, rules: str = "", is_json: bool = False, any_language: bool = False
) -> Inspection:
    """Return what of a reply is an answer; arguments as for `inspector`."""
    bare = _without_fence(_CLOSING.sub("", _OPENING.sub("", text)), is_json=is_json)
    if (schema := _schema_of(bare)) is not None:
        filled = fill_in(schema)
        # A lone text inside is the answer; of several nobody knows which.
        texts = list(filled.values()) if isinstance(filled, dict) else [filled]
        is_text = len(texts) == 1 and isinstance(texts[0], str) and not is_json
        return Inspection(texts[0] if is_text else "", "it hands back a JSON schema in place of an answer")
    if mark := TEMPLATE_MARK.search(bare):
        return Inspection(bare[: mark.start()].strip(), f"it goes on with the prompt's own marks ({mark[0].strip()})")
    return Inspection(bare) if is_json else _inspect_prose(bare, question, rules, any_language=any_language)


def _inspect_prose(bare: str, question: str, rules: str, *, any_language: bool) -> Inspection:
    if (rest := _without_rules(bare, rules)) != bare:
        return Inspection(rest, "it repeats its instructions")
    letter = _LETTER.fullmatch(bare.strip())
    if letter and not options(question):
        # A letter alone may be a blood group, and stands where the model keeps to it.
        return Inspection("" if letter["named"] else bare, "a letter answers nothing: the question offers no choices")
    asked, said = None if any_language else _language_of_question(question), _sure_language(bare)
    if asked and said and asked != said:
        return Inspection(bare, f"it is in another language ({said}) than the question ({asked})")
    return Inspection(bare)


def _without_fence(text: str, *, is_json: bool) -> str:
    fence = _FENCE.match(text)
    if fence is None or "```" in fence[2]:
        return text
    # Code that was asked for keeps its fence.
    is_text = fence[1].lower() in _TEXT_TAGS or (not fence[1] and _PROSE.search(fence[2]) is not None)
    is_schema_text = fence[1].lower() in ("", "json") and _schema_of(fence[2]) is not None
    return fence[2] if is_text or is_schema_text or (is_json and fence[1].lower() in ("", "json")) else text


def _schema_of(text: str) -> object | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = parse_json(text)
    except ValueError:
        return None
    return value if is_schema(value) else None


def _without_rules(text: str, rules: str) -> str:
    known = _rule_sentences(rules)
    repeated = [span for span in split_sentences(text) if " ".join(words(text[slice(*span)])) in known]
    rest = text
    for start, end in reversed(repeated):
        rest = f"{rest[:start].rstrip(' -*')}{rest[end:]}"
    return rest.strip() if repeated else text


# Cached, as is the next: all seats of a run have the same.
@lru_cache(maxsize=32)
def _rule_sentences(rules: str) -> frozenset[str]:
    sentences = (" ".join(words(rules[start:end])) for start, end in split_sentences(rules))
    return frozenset(sentence for sentence in sentences if len(sentence.split()) >= _RULE_WORDS)


@lru_cache(maxsize=32)
def _language_of_question(question: str) -> str | None:
    """Return the language that an answer shall be in; `None` where the question may want another than its own."""
    # A text of another language behind the question may be what is to be worked on.
    language = language_of(question.partition("\n\n")[0])
    return language if language == language_of(question) and not _LANGUAGES.search(question) else None


def _sure_language(text: str) -> str | None:
    """Return the language of `text` where both its halves are in it."""
    pieces = text.split()
    if len(pieces) < _SURE_WORDS:
        language = language_of(text)
        # A few Latin words may be names; another script is one in any case.
        return (
            language if language and not text.isascii() and language in ("ja", "ko", "zh", "ru", "ar", "he") else None
        )
    half = len(pieces) // 2
    first, second = language_of(" ".join(pieces[:half])), language_of(" ".join(pieces[half:]))
    return first if first == second else None


async def mend_reply(
    reply: ModelReply,
    inspect: Inspect | None,
    prompt: Sequence[BaseMessage],
    ask: Callable[[Sequence[BaseMessage]], Awaitable[ModelReply]],
    *,
    shown: str = "",
) -> ModelReply:
    """Return a reply without what is spoiled of it, asked for once more where need be; `spoiled` says what stays wrong.

    Args:
        reply: The first reply.
        inspect: Looks at it; `None`: it is taken as it is.
        prompt: What it replied to.
        ask: Asks the model again.
        shown: What of the reply somebody has read already; it is neither taken back nor written anew.

    Raises:
        ModelCallError: Nothing is left of either reply.
    """
    if inspect is None:
        return reply
    first = inspect(reply.text)
    if shown:
        is_start = first.text.startswith(shown.strip())
        return replace(reply, text=first.text if is_start else reply.text, spoiled=first.fault)
    candidates = [(reply, first)]
    if first.fault:
        told = HumanMessage(render("spoiled_retry", fault=first.fault))
        try:
            again = await ask([*prompt, AIMessage(reply.text), told])
        except ModelCallError:
            # What is left of the first one is paid for; where nothing is, this is why.
            if not first.text.strip():
                raise
        else:
            candidates.insert(0, (again, inspect(again.text)))
    for one, inspection in sorted(candidates, key=lambda pair: bool(pair[1].fault)):
        if inspection.text.strip():
            return replace(one, text=inspection.text, spoiled=inspection.fault)
    raise ModelCallError(Fault("invalid_output", first.fault), reply.panelist.model_name)
