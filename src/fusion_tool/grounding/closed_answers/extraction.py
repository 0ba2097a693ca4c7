"""Where a text states its final answer, in the forms that people and models use."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from fusion_tool.grounding.grammar import tokens

_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL)
_JSON = re.compile(r'"(?:final[_ ]?)?answer"\s*:\s*', re.IGNORECASE)
_JSON_END = re.compile(r"\s*(?:,\s*\"\w+\"\s*:|\}\s*(?:```\s*)?\Z)")
_TAGS = re.compile(
    r"\[ANSWER\](.*?)\[/ANSWER\]|<(?:final_)?answer>(.*?)</(?:final_)?answer>", re.DOTALL | re.IGNORECASE
)
_HASHES = re.compile(r"^####\s*(\S.*)\Z", re.MULTILINE)
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)")
_NOUN = r"(?:answer|result|output|antwort|ergebnis|réponse|résultat|respuesta|resultado|resposta|risposta)"
_LABEL = re.compile(
    rf"^[\s#>*_-]*(?:(?:the|my|final|correct|short|numerical|die|la)\s+)*{_NOUN}[ \t*_]*[:\uff1a][ \t*_]*(.*)$"
    r"|^\s*(?:答案|答え|最终答案|答)\s*[:\uff1a]\s*(.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_STATED = re.compile(rf"\b{_NOUN}\s+(?:is|are|was|would be|will be|equals|=|ist|est|es)\s*:?\s+(.+)", re.IGNORECASE)
_COPULA = re.compile(
    r"^(?:.*(?:\b(?:is|are|was|were|be|equals|equal to|gives|yields|returns|prints|ist|est|es)|:)"
    r"|(?:so|thus|hence|therefore|also|donc)\b,?)\s+(?:exactly |therefore |thus )?(\S.{0,60}?)\.?$",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"(\*\*|__|`|\$)(\S(?:.*?\S)?)\1")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'*(\[$\\])")
_CLOSING = re.compile(r"[.!?]$")
_MAX_SHORT_WORDS = 12
"""The most words of a text that as a whole is taken for the answer."""


@dataclass(frozen=True, slots=True)
class FinalAnswer:
    """A final answer in its author's words.

    Args:
        text: The answer alone.
        is_marked: The author says that it is the answer. An answer that merely stands last counts only where it is
            more than words.
    """

    text: str
    is_marked: bool


def final_answers(text: str) -> Iterator[FinalAnswer]:
    """Yield the places at which `text` may state its final answer, the likeliest first; one where it is marked."""
    # A model that thinks aloud tries answers that it then discards; a thought that was cut off goes to the end.
    text = _THOUGHTS.sub("", text).strip()
    # Machine formats first, and before citations go: their content is to be taken to the letter, `[3]` is a list there.
    for answer in (_from_json(text), _from_tags(text)):
        if answer is not None:
            yield FinalAnswer(answer, is_marked=True)
            return
    text = without_citations(text)
    for answers in (_boxed_answers(text), _hashed_answers(text), _labelled_answers(text)):
        if answers:
            # Several boxes are the parts of one answer, in their order; the same one twice is a repetition.
            yield FinalAnswer(", ".join(dict.fromkeys(answers)), is_marked=True)
            return
    yield from _last_words(text)


def _from_json(text: str) -> str | None:
    """Return the value of the last `"answer"`; in JSON that does not parse, the text up to the end of the object."""
    keys = list(_JSON.finditer(text))
    if not keys:
        return None
    rest = text[keys[-1].end() :]
    # From the key on, not the object as a whole: it mostly stands in prose, or is cut off.
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(rest)
    except (ValueError, RecursionError):
        end = next((match.start() for match in _JSON_END.finditer(rest)), len(rest))
        value = rest[:end].strip()
        return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if isinstance(value, str):
        return value
    # As Python writes it, since that is what `parse_literal` reads; a number as its author wrote it, with every digit.
    return repr(value) if isinstance(value, bool | list | dict | None) else rest[:end]


def _from_tags(text: str) -> str | None:
    tags = list(_TAGS.finditer(text))
    return _without_markup(next(filter(None, tags[-1].groups()), "")) if tags else None


def without_citations(text: str) -> str:
    """Return `text` without cited ids and numbers in brackets, unless there is nothing else."""
    rest = "".join(token.raw for token in tokens(text) if token.kind in ("text", "space")).strip()
    return re.sub(r"\s+([.,;:!?])", r"\1", rest) if rest else text


def _boxed_answers(text: str) -> list[str]:
    answers = []
    # Braces are counted, which no pattern can do: boxes hold fractions, `\boxed{\frac{1}{2}}`.
    for match in _BOXED.finditer(text):
        depth = 0
        for at in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if depth == 0:
                answers.append(text[match.end() + 1 : at].strip())
                break
    return answers


def _hashed_answers(text: str) -> list[str]:
    # "#### 42" on the last line, as in GSM8K; "#### Answer:" is a heading, which `_labelled_answers` reads.
    match = _HASHES.search(text)
    return [_without_markup(match[1])] if match and not _LABEL.match(match[0]) else []


def _labelled_answers(text: str) -> list[str]:
    """Return what follows "Answer:", on its line or the next; else what "the answer is" in the last paragraph."""
    answers = []
    for match in _LABEL.finditer(text):
        rest = (match[1] or match[2] or "").strip(" *_")
        below = text[match.end() :].lstrip("\n #*_").partition("\n\n")[0]
        answers.append(_without_markup(rest or below))
    if answers or not text:
        return [answer for answer in answers if answer]
    # In the last paragraph only: before it, "the answer is" often introduces what the text goes on to refute.
    statement = _STATED.search(_paragraphs(text)[-1])
    if statement is None:
        return []
    sentence = _SENTENCE.split(statement[1].partition("\n")[0])[0].strip()
    return [_without_markup(_without_stop(sentence))]


def _last_words(text: str) -> Iterator[FinalAnswer]:
    """Yield the whole of a short text, a last line of its own, and what its last sentence ends in."""
    if not text:
        return
    # A short text without a full stop, or of a single word, is no sentence: it is nothing but the answer.
    if "\n" not in text and len(text.split()) <= _MAX_SHORT_WORDS:
        yield FinalAnswer(_without_markup(text), is_marked=not _CLOSING.search(text) or len(text.split()) == 1)
    last = _paragraphs(text)[-1]
    if "\n" not in last or last.startswith(("```", "$$", "\\[")):
        bare = _without_markup(last)
        yield FinalAnswer(bare, is_marked=last == f"**{bare}**" and not _CLOSING.search(bare))
    sentence = _SENTENCE.split(last.splitlines()[-1])[-1].strip()
    if match := _COPULA.search(sentence):
        emphasis = _EMPHASIS.fullmatch(match[1].strip("."))
        yield FinalAnswer(_without_markup(match[1]), is_marked=bool(emphasis))


def _paragraphs(text: str) -> list[str]:
    return [part.strip("\n") for part in re.split(r"\n\s*\n", text) if part.strip()] or [text]


def _without_stop(text: str) -> str:
    # An ellipsis is part of the answer: "1, 2, 3, ..." is not "1, 2, 3".
    return text if text.endswith("..") else text.removesuffix(".")


def _without_markup(text: str) -> str:
    """Return `text` without the Markdown around it: a fence, a bullet, up to three layers of emphasis."""
    text = text.strip()
    if fence := re.fullmatch(r"```\w*\n(.*?)\n?```", text, re.DOTALL):
        return fence[1]
    text = re.sub(r"^[-*•]\s+", "", text)
    for _ in range(3):
        emphasis = _EMPHASIS.fullmatch(text.rstrip(".")) or _EMPHASIS.fullmatch(text)
        if emphasis is None:
            break
        text = emphasis[2].strip()
    return text
