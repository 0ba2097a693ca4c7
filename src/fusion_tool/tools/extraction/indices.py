"""Superscripts and subscripts as plain text: exponents and indices stay readable, the marks of footnotes go.

In plain text `1,234,567<sup>3</sup>` would be another number and `10<sup>6</sup>` a wrong one. A superscript is told by
itself (a link, brackets, a sign) and by the text before and after it.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fusion_tool.tools.extraction.mathml import subscript, superscript

if TYPE_CHECKING:
    from collections.abc import Callable

    from selectolax.lexbor import LexborHTMLParser, LexborNode

_LONGEST = 40  # characters; what is longer is text that is set small
_CONTEXT = 40
_STEPS = 12  # nodes that are looked at for a superscript's context, so that a hostile page costs linear time
_AROUND = frozenset(
    {
        "a",
        "abbr",
        "b",
        "bdi",
        "cite",
        "code",
        "em",
        "font",
        "i",
        "ins",
        "kbd",
        "q",
        "small",
        "span",
        "strong",
        "u",
        "var",
    }
)
"""Elements around a superscript whose neighbours are on its line."""
_BESIDE = _AROUND | {"sup", "sub", "dfn", "mark", "samp", "tt", "-text"}

_NOTE_CLASS = re.compile(
    r"\b(?:foot|end)?-?note(?:-?ref|s)?\b|\b(?:reference|citation|cite|fnref|noteref)\b", re.IGNORECASE
)
_NOTE_HREF = re.compile(r"#|.*#(?:cite|fn|foot|end|note|ref|bib|CR)", re.IGNORECASE)
_NOTE_TEXT = re.compile(r"\[.*\]|\(\w{1,3}\)|[*\u2020\u2021\u00a7\u00b6#|,;\u2016 ]+")
_NUMBERS = re.compile(r"\d{1,3}(?:\s?[,;\u2013-]\s?\d{1,3})*")
_SUFFIXES = frozenset(
    {"st", "nd", "rd", "th", "er", "re", "ère", "ème", "eme", "ième", "me", "te", "ten", "de", "ste", "do", "ro", "mo"}
    | {"ma", "da", "ra", "le", "lle", "mme", "tm", "sm", "®", "™", "º", "ª", "°"}
)
_DEGREES = frozenset({"o", "0", "\u2218", "\u00b0", "\u00ba"})

_UNIT = re.compile(
    r"(?:^|[^^\W\d_]\s|[\d\s/\u00b7\u22c5*(.\u00d7-])(?:[kcdmn\u03bc\u00b5pMGh]?(?:m|s|g|W|J|N|K|V|A|C|T|Pa|Hz|eV|L|l|mol|bar|rad|sr|cd|lm)"
    r"|in|ft|yd|mi|mile|miles|sec|hr?|min|kg|inch|pc|kpc|Mpc|ha|day|yr|year|sq)$"
)
_LETTER = re.compile(r"(?:^|[^\w'\u2019])[^\W\d_]$")
_FUNCTION = re.compile(r"\b(?:sin|cos|tan|cot|sec|csc|sinh|cosh|tanh|log|ln|exp|det|dim)$")
_POWER_BASE = re.compile(r"(?:^|[^\d.,])(?:10|2)$")
_SPACED_POWER = re.compile(r"[\u00d7\u00b7\u22c5x*]\s?10\s$")
_AFTER_MONTH = re.compile(r"\b(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)[a-z]*\.? \d+$")
_IN_FORMULA = re.compile(r"[=+\u2212\u00d7*/^<>\u2248(\u00b7]\s?[\w.]{1,4}$")
_BEFORE_OPERATOR = re.compile(r"\s?[=+\u2212\u00d7*/^\u2248\u00b7](?:\s|\w)")
_TERM_IN_BRACKETS = re.compile(r"\((?![^()]*[^\W\d_]{3})[^()]{1,30}\)$|\|[^|]{1,20}\|$|\]$")


def flatten_indices(page: "LexborHTMLParser") -> None:
    """Replace every `<sup>` and `<sub>` of a page by text, and by nothing where it is the mark of a note."""
    # The innermost first, so that a power in an exponent is text by the time that its exponent is read.
    for node in reversed(page.css("sup, sub")):
        text = " ".join(node.text().split())
        if len(text) > _LONGEST:
            node.insert_before(" ")
            node.unwrap()
            continue
        before, after = _before(node), _after(node)
        if node.tag == "sub":
            plain = _subscript_text(before, text)
        elif _is_marked_as_note(node, text):
            plain = ""
        else:
            plain = _superscript_text(before, text, after, is_variable=_follows_variable(node))
        node.replace_with(plain)


def _subscript_text(before: str, text: str) -> str:
    # The lower half of a fraction that is set in small figures.
    if not text or before[-1:] in {"/", "\u2044"}:
        return text
    return subscript(before, text)[len(before) :]


def _is_marked_as_note(node: "LexborNode", text: str) -> bool:
    """Return whether the markup or the characters themselves make it the mark of a note."""
    if not text or _NOTE_TEXT.fullmatch(text):
        return True
    holders = [node, *node.css("a, span")[:4]]
    # A link around more than the superscript says nothing of it.
    if (parent := node.parent) is not None and parent.tag == "a" and parent.text().strip() == text:
        holders.append(parent)
    for holder in holders:
        attributes = holder.attributes
        words = " ".join(filter(None, (attributes.get(key) for key in ("class", "role", "epub:type", "id"))))
        if _NOTE_CLASS.search(words) or (holder.tag == "a" and _NOTE_HREF.match(attributes.get("href") or "")):
            return True
    return False


def _superscript_text(before: str, text: str, after: str, *, is_variable: bool) -> str:
    """Return the plain text of a superscript between `before` and `after`; empty for a note's mark."""
    if (suffix := _suffix(before, text, after)) is not None:
        return suffix
    # Before an element's sign stands its mass: `<sup>14</sup>C`.
    is_mass = text.isdigit() and re.match(r"[A-Z][a-z]?(?![a-z])", after) and (not before or before[-1] in " (-")
    if is_mass or _is_exponent(before, text, after, is_variable=is_variable):
        return superscript("", text)
    return "" if _NUMBERS.fullmatch(text) or len(text) == 1 else f" {text}"


def _suffix(before: str, text: str, after: str) -> str | None:
    """Return a superscript that goes on with what is before it: `19th`, `20°C`, `3 1/2`; `None` for others."""
    if text.isdigit() and after[:1] in {"/", "\u2044"} and after[1:2].isdigit():
        return f" {text}" if before[-1:].isdigit() else text
    if text in _DEGREES and re.match(r"\s?[CFKNSEW]\b", after) and before[-1:].isdigit():
        return "°"
    # French and Spanish ordinals have one letter.
    if text.lower() in _SUFFIXES or (text in {"e", "o"} and re.search(r"(?:\d|\b[IVXLC]+)$", before)):
        return text
    return None


def _is_exponent(before: str, text: str, after: str, *, is_variable: bool) -> bool:
    if not before or before[-1].isspace():
        return _SPACED_POWER.search(before) is not None
    # Signs: a negative power, an ion's charge.
    if re.match(r"[+\u2212\u2013-]\s?[\w(]", text) or re.fullmatch(r"\d?[+\u2212-]", text):
        return True
    if is_variable or _LETTER.search(before) or _FUNCTION.search(before) or _TERM_IN_BRACKETS.search(before):
        return True
    if _POWER_BASE.search(before):
        return not _AFTER_MONTH.search(before)
    if _UNIT.search(before):
        return text.isdigit() and len(text) == 1
    return bool(
        _IN_FORMULA.search(before) or (re.search(r"(?:^|\s)\d{1,3}$", before) and _BEFORE_OPERATOR.match(after))
    )


def _follows_variable(node: "LexborNode") -> bool:
    # Mathematics sets its variables in italics, and `<var>` is made for them.
    previous = node.prev
    return (
        previous is not None
        and previous.tag in {"i", "em", "var"}
        and len(previous.text().split()) == 1
        and (
            previous.tag == "var" or len(previous.text().strip()) <= 2  # noqa: PLR2004 - longer ones are emphasized words
        )
    )


def _before(node: "LexborNode") -> str:
    """Return the end of the text in front of `node` within its block."""
    texts = [text[-_CONTEXT:] for text in _line_texts(node, lambda current: current.prev)]
    return re.sub(r"\s+", " ", "".join(reversed(texts)))[-_CONTEXT:]


def _after(node: "LexborNode") -> str:
    """Return the beginning of the text behind `node` within its block."""
    texts = [text[:_CONTEXT] for text in _line_texts(node, lambda current: current.next)]
    return re.sub(r"\s+", " ", "".join(texts))[:_CONTEXT]


def _line_texts(node: "LexborNode", neighbour: "Callable[[LexborNode], LexborNode | None]") -> Iterator[str]:
    """Yield the texts beside `node` on its line, outwards in one direction, until there is context enough."""
    current, length = node, 0
    for _ in range(_STEPS):
        beside = neighbour(current)
        if beside is None:
            parent = current.parent
            if parent is None or parent.tag not in _AROUND:
                return
            current = parent
            continue
        if beside.tag not in _BESIDE:
            return
        text, current = beside.text(), beside
        yield text
        length += min(len(text), _CONTEXT)
        if length >= _CONTEXT:
            return
