"""LaTeX mathematics as plain text in the notation of `expressions`: fractions with a slash, roots with their sign."""

import re

_DROPPED = re.compile(r"\\(?:left|right|[bB]igg?[lr]?|displaystyle|limits|,|;|:|!|quad|qquad)(?![A-Za-z])|(?<!\\)\\ ")
_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|\\[,;:!]|,\\!)(?=\d{3}(?!\d))")
_WORDS = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname|boxed)\s*\{([^{}]*)\}")
# Each takes only arguments without braces, that is the innermost; applied until nothing changes, they work outwards.
_INNERMOST = [
    (re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\[dtc]?frac\s*(\d)\s*(\d)"), r"((\1)/(\2))"),
    (re.compile(r"\\sqrt\s*\{([^{}]*)\}"), r"√(\1)"),
    (re.compile(r"\\sqrt\s*(\w)"), r"√(\1)"),
    (re.compile(r"\^\s*\{([^{}]*)\}"), r"^(\1)"),
    (re.compile(r"_\s*\{(\w+)\}"), r"_\1"),
]
_SYMBOLS = {
    "pi": "π",
    "infty": "∞",
    "cdot": "*",
    "times": "*",
    "div": "/",
    "le": "≤",
    "leq": "≤",
    "ge": "≥",
    "geq": "≥",
    "ne": "≠",
    "neq": "≠",
    "cup": "\u222a",
    "circ": "°",
    "approx": "≈",
    # With blanks, since the command's end separates nothing any more: `2\sin x` would become a word, "2sinx".
    "sin": " sin ",
    "cos": " cos ",
    "tan": " tan ",
    "ln": " ln ",
    "log": " log ",
    "emptyset": "∅",
    "varnothing": "∅",
}
_COMMAND = re.compile(r"\\([A-Za-z]+)\s*")
_ESCAPED = re.compile(r"\\([$%{}#&_])")
_DELIMITERS = [("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")]


def latex_to_text(text: str) -> str:
    """Return `text` with its LaTeX as plain text; commands that are not known stay as they are."""
    text = _THOUSANDS.sub("", strip_delimiters(text))
    if "\\" not in text and "{" not in text:
        return text.strip()
    text = _WORDS.sub(r" \1 ", _DROPPED.sub("", text))
    text = re.sub(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ)", "°", text)  # before the exponents below: degrees are none
    for _ in range(len(text)):
        before = text
        for pattern, replacement in _INNERMOST:
            text = pattern.sub(replacement, text)
        if text == before:
            break
    text = _COMMAND.sub(lambda match: _SYMBOLS.get(match[1], match[0]), text)
    return _ESCAPED.sub(r"\1", text).strip()


def strip_delimiters(text: str) -> str:
    """Return `text` without the delimiters of mathematics that enclose it as a whole; `$a$ and $b$` keeps its own."""
    text = text.strip()
    for opening, closing in _DELIMITERS:
        inner = text[len(opening) : -len(closing)]
        if text.startswith(opening) and text.endswith(closing) and inner and closing not in inner:
            return inner.strip()
    return text
