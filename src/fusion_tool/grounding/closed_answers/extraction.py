"""Where a text states its final answer, the way people and models write it."""

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
_SAID = re.compile(rf"\b{_NOUN}\s+(?:is|are|was|would be|will be|equals|=|ist|est|es)\s*:?\s+(.+)", re.IGNORECASE)
_COPULA = re.compile(
    r"^(?:.*(?:\b(?:is|are|was|were|be|equals|equal to|gives|yields|returns|prints|ist|est|es)|:)"
    r"|(?:so|thus|hence|therefore|also|donc)\b,?)\s+(?:exactly |therefore |thus )?(\S.{0,60}?)\.?$",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"(\*\*|__|`|\$)(\S(?:.*?\S)?)\1")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'*(\[$\\])")
_CLOSING = re.compile(r"[.!?]$")
_SHORT = 12
"""Words of a whole answer that is nothing but the answer."""


@dataclass(frozen=True, slots=True)
class FinalAnswer:
    """A final answer in its author's words.

    Args:
        text: The answer alone.
        marked: The author says that it is the answer. One that merely stands last counts only where it is more than
            words.
    """

    text: str
    marked: bool


def final_answers(text: str) -> Iterator[FinalAnswer]:
    """Return the places at which `text` may state its final answer, the likeliest first."""
    text = _THOUGHTS.sub("", text).strip()
    for said in (_from_json(text), _from_tags(text)):
        if said is not None:
            yield FinalAnswer(said, marked=True)
            return
    text = _without_citations(text)
    for marks in (_boxed_answers(text), _hashed_answers(text), _labelled_answers(text)):
        if marks:
            yield FinalAnswer(", ".join(dict.fromkeys(marks)), marked=True)
            return
    yield from _last_words(text)


def _from_json(text: str) -> str | None:
    """The value of the last `"answer"`; from JSON that does not parse, the text up to the end of the object."""
    found = list(_JSON.finditer(text))
    if not found:
        return None
    rest = text[found[-1].end() :]
    try:
        value, end = json.JSONDecoder(strict=False).raw_decode(rest)
    except (ValueError, RecursionError):
        end = next((match.start() for match in _JSON_END.finditer(rest)), len(rest))
        value = rest[:end].strip()
        return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    if isinstance(value, str):
        return value
    return repr(value) if isinstance(value, bool | list | dict | None) else rest[:end]


def _from_tags(text: str) -> str | None:
    found = list(_TAGS.finditer(text))
    return _bare(next(filter(None, found[-1].groups()), "")) if found else None


def _without_citations(text: str) -> str:
    """`text` without cited ids and numbers, unless there is nothing else."""
    left = "".join(token.raw for token in tokens(text) if token.kind in ("text", "space")).strip()
    return re.sub(r"\s+([.,;:!?])", r"\1", left) if left else text


def _boxed_answers(text: str) -> list[str]:
    found = []
    for match in _BOXED.finditer(text):
        depth = 0
        for at in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if depth == 0:
                found.append(text[match.end() + 1 : at].strip())
                break
    return found


def _hashed_answers(text: str) -> list[str]:
    match = _HASHES.search(text)
    return [_bare(match[1])] if match and not _LABEL.match(match[0]) else []


def _labelled_answers(text: str) -> list[str]:
    """What follows "Answer:", on its line or the next; else what "the answer is" says in the last paragraph."""
    found = []
    for match in _LABEL.finditer(text):
        rest = (match[1] or match[2] or "").strip(" *_")
        below = text[match.end() :].lstrip("\n #*_").partition("\n\n")[0]
        found.append(_bare(rest or below))
    if found or not text:
        return [said for said in found if said]
    said = _SAID.search(_paragraphs(text)[-1])
    return [_bare(_without_stop(_SENTENCE.split(said[1].partition("\n")[0])[0].strip()))] if said else []


def _last_words(text: str) -> Iterator[FinalAnswer]:
    """The whole of a short text, a last line of its own, or what its last sentence ends in."""
    if not text:
        return
    if "\n" not in text and len(text.split()) <= _SHORT:
        yield FinalAnswer(_bare(text), marked=not _CLOSING.search(text) or len(text.split()) == 1)
    last = _paragraphs(text)[-1]
    if "\n" not in last or last.startswith(("```", "$$", "\\[")):
        yield FinalAnswer(_bare(last), marked=last == f"**{_bare(last)}**" and not _CLOSING.search(_bare(last)))
    sentence = _SENTENCE.split(last.splitlines()[-1])[-1].strip()
    if ends := _COPULA.search(sentence):
        emphasised = _EMPHASIS.fullmatch(ends[1].strip("."))
        yield FinalAnswer(_bare(ends[1]), marked=bool(emphasised))


def _paragraphs(text: str) -> list[str]:
    return [part.strip("\n") for part in re.split(r"\n\s*\n", text) if part.strip()] or [text]


def _without_stop(text: str) -> str:
    return text if text.endswith("..") else text.removesuffix(".")


def _bare(text: str) -> str:
    """`text` without the marks of markdown around it."""
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
