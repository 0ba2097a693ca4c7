"""Arithmetic expressions as people type them, parsed into the normal form of `algebra`."""

import re
from fractions import Fraction
from math import factorial

from fusion_tool.grounding.closed_answers.algebra import Polynomial, TooComplexError, inverse, square_root

_MAX_CHARS, _MAX_DEPTH = 200, 20
_FUNCTIONS = ("sqrt", "sin", "cos", "tan", "ln", "log")
_NAMES = "|".join(_FUNCTIONS)
_TOKEN = re.compile(rf"\s*(\d+(?:\.\d+)?|\.\d+|{_NAMES}|[A-Za-zπθ](?:_[A-Za-z0-9]+)?|\*\*|[-+*/^!()∞])")
_SPELLINGS = str.maketrans(
    {"\u2212": "-", "\u2013": "-", "\u00d7": "*", "·": "*", "⋅": "*", "÷": "/", "[": "(", "]": ")"}
)
_SUPERSCRIPTS = {ord(sign): str(digit) for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_SUPERSCRIPT_RUN = re.compile(rf"[{''.join(map(chr, _SUPERSCRIPTS))}]+")
_ROOT_SIGN = re.compile(r"√\s*(\d+(?:\.\d+)?|[A-Za-zπ])")
_MIXED = re.compile(r"(?<![\d.)])(\d+)(?:\s+(\d+)/(\d+)(?![\d.])|\s*\(\((\d+)\)/\((\d+)\)\))")
_SCIENTIFIC = re.compile(r"(?<![A-Za-z])(\d)[eE]([+-]?\d+)(?!\w)")
_FUNCTION = re.compile(rf"(?<![A-Za-z])(?:{_NAMES})(?![A-Za-z])")
# What is left of words and chemical formulae once the functions are out.
_FORMULA = re.compile(r"(?<!_)[A-Za-zπθ]\d|[A-Za-z]{2}")
_LARGEST_FACTORIAL = 100


def parse_polynomial(text: str) -> Polynomial | None:
    """Return the value of `text`; `None` for what is no expression, or for one that can be read in two ways.

    Letters side by side, and digits after a letter, are words and formulae (`ab`, `H2O`), not products.
    """
    text = _SUPERSCRIPT_RUN.sub(lambda run: f"^({run[0].translate(_SUPERSCRIPTS)})", text.translate(_SPELLINGS))
    # A root sign without brackets covers one number or letter: √2x is x·√2.
    text = _ROOT_SIGN.sub(r"sqrt(\1)", text).replace("√", "sqrt")
    text = _SCIENTIFIC.sub(r"\1*10^(\2)", _MIXED.sub(_expand_mixed, text))
    if len(text) > _MAX_CHARS or _FORMULA.search(_FUNCTION.sub(" ", text)):
        return None
    tokens = _tokens(text)
    try:
        return _Parser(tokens).whole() if tokens else None
    except (TooComplexError, RecursionError):  # signs and powers nest without brackets, which `_MAX_DEPTH` counts
        return None


def _expand_mixed(match: re.Match[str]) -> str:
    """Write `2 1/2` as a sum, two and a half; an improper fraction after a number is a factor and stays."""
    whole, top, bottom = match[1], match[2] or match[4], match[3] or match[5]
    return f"({whole}+({top})/({bottom}))" if int(top) < int(bottom) else match[0]


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            return []
        tokens.append(match[1].replace("**", "^"))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent over tokens: sum > product > signed > power > factorial > atom."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = [*tokens, ""]
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self, *tokens: str) -> str:
        token = self._next
        if not token or (tokens and token not in tokens):
            return ""
        self._at += 1
        return token

    def whole(self) -> Polynomial:
        """Return the value of all tokens.

        Raises:
            TooComplexError: They are no expression, an ambiguous one, or one too large.
        """
        value = self._sum()
        if self._next:
            raise TooComplexError
        return value

    def _sum(self) -> Polynomial:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TooComplexError
        value = self._product()
        while sign := self._take("+", "-"):
            value += self._product() if sign == "+" else -self._product()
        self._depth -= 1
        return value

    def _product(self) -> Polynomial:
        value, has_division = self._parse_signed(), False
        while True:
            if sign := self._take("*", "/"):
                factor = self._parse_signed()
                value *= factor if sign == "*" else inverse(factor)
                has_division = has_division or sign == "/"
            elif self._next and (self._next == "(" or self._next[0].isalpha() or self._next == "∞"):
                if has_division:  # 1/2x: half of x for some, 1/(2x) for others
                    raise TooComplexError
                value *= self._power()
            else:
                return value

    def _parse_signed(self) -> Polynomial:
        if self._take("-"):
            return -self._parse_signed()
        return self._parse_signed() if self._take("+") else self._power()

    def _power(self) -> Polynomial:
        base = self._atom()
        while self._take("!"):
            number = base.constant
            if number is None or number.denominator != 1 or not 0 <= number <= _LARGEST_FACTORIAL:
                raise TooComplexError
            base = Polynomial.number(factorial(int(number)))
        # The exponent is signed, and may hold a power itself: 2^-1, and 2^3^2 from the right.
        return _raise(base, self._parse_signed()) if self._take("^") else base

    def _atom(self) -> Polynomial:
        piece = self._take()
        if piece == "(":
            value = self._sum()
            if not self._take(")"):
                raise TooComplexError
            return value
        if piece in _FUNCTIONS:
            # "sin x^2" is the sine of the square; "sin(x)^2" and "sqrt 2^2" apply the power last.
            argument = self._atom() if self._next == "(" or piece == "sqrt" else self._power()
            return square_root(argument) if piece == "sqrt" else Polynomial.symbol((piece, argument.key))
        if piece and (piece[0].isdigit() or piece[0] == "."):
            return Polynomial.number(Fraction(piece))
        if piece and (piece[0].isalpha() or piece == "∞"):
            return Polynomial.symbol(piece)
        raise TooComplexError


def _raise(base: Polynomial, exponent: Polynomial) -> Polynomial:
    power = exponent.constant
    if power is not None and power.denominator == 1:
        return base ** int(power)
    if power == Fraction(1, 2):
        return square_root(base)
    return Polynomial.symbol(("power", base.key, exponent.key))
