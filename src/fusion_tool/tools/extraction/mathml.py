"""Mathematics as one line of text: `E = mc^2`, `(a + b)/2`, `√(x)`, from MathML (https://www.w3.org/TR/mathml-core/).

Presentation markup alone is read: an `annotation` says the same a second time, in TeX.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_SKIPPED = frozenset({"annotation", "annotation-xml", "mphantom", "none", "mprescripts", "maction-hidden"})
_MAX_DEPTH = 40
_INVISIBLE = str.maketrans("", "", "\u2061\u2062\u2063\u2064\u200b\u00ad")
_INFIX = re.compile(
    r"[=+\u2212<>\u2264\u2265\u2260\u2248\u2261\u221d\u00d7\u00b7\u22c5\u00b1\u2213\u2192\u21d2\u21d4\u2208-]"
)
_ACCENTS = {
    "\u00af": "\u0304",
    "\u203e": "\u0304",
    "^": "\u0302",
    "~": "\u0303",
    "\u2192": "\u20d7",
    "\u02d9": "\u0307",
}


def math_line(math: "LexborNode") -> str:
    """Return a `<math>` element as one line; its `alttext` where nothing in it can be read."""
    line = " ".join(_read(math, 0).split())
    return line or " ".join((math.attributes.get("alttext") or "").split())


def superscript(base: str, exponent: str) -> str:
    """Return `base` with an exponent: `10^6`, `m^-3`, `e^(x+1)`."""
    return f"{base}^{_group(exponent)}"


def subscript(base: str, index: str) -> str:
    """Return `base` with an index: `H2` and `x1` where a number follows a letter, else `V_max`, `101_2`."""
    if index.isdigit() and base[-1:] and (base[-1].isalpha() or base[-1] in ")]"):
        return f"{base}{index}"
    return f"{base}_{_group(index)}"


def _group(text: str) -> str:
    text = text.strip().replace("\u2212", "-")
    return text if re.fullmatch(r"[+-]?[\w.,\u2032*]+|\w*[+-]", text) else f"({text})"


def _read(node: "LexborNode", depth: int) -> str:
    tag = node.tag or ""
    if tag in _SKIPPED or depth > _MAX_DEPTH:
        return ""
    if tag in {"mi", "mn", "mo", "mtext", "ms"}:
        return _token(node, tag)
    if tag == "mspace":
        return " "
    parts = [_read(child, depth + 1) for child in node.iter() if child.tag not in _SKIPPED]
    if reader := _LAYOUTS.get(tag):
        return reader(parts)
    if tag == "semantics":
        return parts[0] if parts else ""
    return _row(parts)


def _token(node: "LexborNode", tag: str) -> str:
    text = " ".join(node.text().translate(_INVISIBLE).split())
    if tag == "mo":
        return f" {text} " if _INFIX.fullmatch(text) else f"{text} " if text in {",", ";"} else text
    # A name of several letters stands apart from what follows it: `sin x`, not `sinx`.
    return f"{text} " if tag == "mi" and len(text) > 1 else text


def _row(parts: list[str]) -> str:
    line = "".join(parts)
    # A sign at the beginning, or behind a bracket or another operator, belongs to what follows it.
    line = re.sub(r"(^|[(\[{,=<>^/]) ?([+\u2212-]) (?=\S)", r"\1\2", re.sub(r" {2,}", " ", line).strip())
    return re.sub(r" (?=[)\],;^_])|(?<=[(\[]) ", "", line)


def _fraction(parts: list[str]) -> str:
    return "/".join(_factor(part) for part in parts[:2])


def _factor(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"[\w.^\u2032]+", text) else f"({text})"


def _power(parts: list[str]) -> str:
    return superscript(_base(parts), parts[1]) if len(parts) > 1 and parts[1].strip() else "".join(parts)


def _index(parts: list[str]) -> str:
    return subscript(_base(parts), parts[1].strip()) if len(parts) > 1 and parts[1].strip() else "".join(parts)


def _both(parts: list[str]) -> str:
    return superscript(_index(parts[:2]), parts[2]) if len(parts) > 2 else _index(parts)  # noqa: PLR2004 - base, index, power


def _base(parts: list[str]) -> str:
    text = parts[0].strip()
    return text if len(text) < 2 or re.fullmatch(r"[\w.]+|\(.*\)|\[.*\]|\|.*\|", text) else f"({text})"  # noqa: PLR2004 - one sign


def _over(parts: list[str]) -> str:
    accent = _ACCENTS.get(parts[1].strip()) if len(parts) > 1 else None
    return f"{parts[0].strip()}{accent}" if accent else _power(parts)


def _root(parts: list[str]) -> str:
    return f"\u221a({_row(parts)})"


def _nth_root(parts: list[str]) -> str:
    radicand, degree = [*parts, "", ""][:2]
    return f"{degree.strip()}\u221a({radicand.strip()})" if degree.strip() else _root([radicand])


_LAYOUTS: dict[str, Callable[[list[str]], str]] = {
    "msup": _power,
    "msub": _index,
    "msubsup": _both,
    "munder": lambda parts: f"{_index(parts)} ",
    "mover": _over,
    "munderover": lambda parts: f"{_both(parts)} ",  # sums and integrals, with what they range over behind them
    "mfrac": _fraction,
    "msqrt": _root,
    "mroot": _nth_root,
    "mfenced": lambda parts: f"({', '.join(part.strip() for part in parts)})",
    "mtable": lambda parts: f"({'; '.join(part.strip() for part in parts)})",
    "mtr": lambda parts: ", ".join(part.strip() for part in parts),
}
