"""Reads arithmetic and simple algebra as people type it into an exact normal form."""

import re
from fractions import Fraction
from math import factorial

from fusion_tool.routing.closed.polynomial import Polynomial, TooHard, inverse, square_root

_LONGEST, _DEEPEST = 200, 20
_FUNCTIONS = ("sqrt", "sin", "cos", "tan", "ln", "log")
_NAMES = "|".join(_FUNCTIONS)
_TOKEN = re.compile(rf"\s*(\d+(?:\.\d+)?|\.\d+|{_NAMES}|[A-Za-zπθ](?:_[A-Za-z0-9]+)?|\*\*|[-+*/^!()∞])")
_SPELLINGS = str.maketrans(
    {"\u2212": "-", "\u2013": "-", "\u00d7": "*", "·": "*", "⋅": "*", "÷": "/", "[": "(", "]": ")"}
)
_SUPERSCRIPTS = {ord(sign): str(digit) for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_RAISED = re.compile(rf"[{''.join(map(chr, _SUPERSCRIPTS))}]+")
_ROOT_SIGN = re.compile(r"√\s*(\d+(?:\.\d+)?|[A-Za-zπ])")
_MIXED = re.compile(r"(?<![\d.)])(\d+)(?:\s+(\d+)/(\d+)(?![\d.])|\s*\(\((\d+)\)/\((\d+)\)\))")
_SCIENTIFIC = re.compile(r"(?<![A-Za-z])(\d)[eE]([+-]?\d+)(?!\w)")
_FUNCTION = re.compile(rf"(?<![A-Za-z])(?:{_NAMES})(?![A-Za-z])")
_FORMULA = re.compile(r"(?<!_)[A-Za-zπθ]\d|[A-Za-z]{2}")
_LARGEST_FACTORIAL = 100


def normal_form(text: str) -> Polynomial | None:
    """The value of `text`; `None` for what is no expression, or one that can be read in two ways.

    Letters side by side, and digits after a letter, are words and formulae (`ab`, `H2O`), not products.
    """
    text = _RAISED.sub(lambda raised: f"^({raised[0].translate(_SUPERSCRIPTS)})", text.translate(_SPELLINGS))
    text = _ROOT_SIGN.sub(r"sqrt(\1)", text).replace("√", "sqrt")
    text = _SCIENTIFIC.sub(r"\1*10^(\2)", _MIXED.sub(_mixed, text))
    if len(text) > _LONGEST or _FORMULA.search(_FUNCTION.sub(" ", text)):
        return None
    tokens = _tokens(text)
    try:
        return _Reader(tokens).whole() if tokens else None
    except (TooHard, RecursionError):
        return None


def _mixed(match: re.Match[str]) -> str:
    """`2 1/2` is two and a half; an improper fraction after a number is a factor."""
    whole, top, bottom = match[1], match[2] or match[4], match[3] or match[5]
    return f"({whole}+({top})/({bottom}))" if int(top) < int(bottom) else match[0]


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            return []
        found.append(match[1].replace("**", "^"))
        at = match.end()
    return found


class _Reader:
    """Recursive descent over tokens: sum > product > signed > power > factorial > atom."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self, *wanted: str) -> str:
        token = self._next
        if not token or (wanted and token not in wanted):
            return ""
        self._at += 1
        return token

    def whole(self) -> Polynomial:
        value = self._sum()
        if self._next:
            raise TooHard
        return value

    def _sum(self) -> Polynomial:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TooHard
        value = self._product()
        while sign := self._take("+", "-"):
            value += self._product() if sign == "+" else -self._product()
        self._depth -= 1
        return value

    def _product(self) -> Polynomial:
        value, divided = self._signed(), False
        while True:
            if sign := self._take("*", "/"):
                factor = self._signed()
                value, divided = value * (factor if sign == "*" else inverse(factor)), divided or sign == "/"
            elif self._next and (self._next == "(" or self._next[0].isalpha() or self._next == "∞"):
                if divided:  # 1/2x
                    raise TooHard
                value *= self._power()
            else:
                return value

    def _signed(self) -> Polynomial:
        if self._take("-"):
            return -self._signed()
        return self._signed() if self._take("+") else self._power()

    def _power(self) -> Polynomial:
        base = self._atom()
        while self._take("!"):
            number = base.constant
            if number is None or number.denominator != 1 or not 0 <= number <= _LARGEST_FACTORIAL:
                raise TooHard
            base = Polynomial.number(factorial(int(number)))
        return _raised(base, self._signed()) if self._take("^") else base

    def _atom(self) -> Polynomial:
        piece = self._take()
        if piece == "(":
            value = self._sum()
            if not self._take(")"):
                raise TooHard
            return value
        if piece in _FUNCTIONS:
            argument = self._atom() if self._next == "(" or piece == "sqrt" else self._power()
            return square_root(argument) if piece == "sqrt" else Polynomial.symbol((piece, argument.key))
        if piece and (piece[0].isdigit() or piece[0] == "."):
            return Polynomial.number(Fraction(piece))
        if piece and (piece[0].isalpha() or piece == "∞"):
            return Polynomial.symbol(piece)
        raise TooHard


def _raised(base: Polynomial, exponent: Polynomial) -> Polynomial:
    power = exponent.constant
    if power is not None and power.denominator == 1:
        return base ** int(power)
    if power == Fraction(1, 2):
        return square_root(base)
    return Polynomial.symbol(("power", base.key, exponent.key))
