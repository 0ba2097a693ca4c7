"""Arithmetic and simple algebra, as people type it, in an exact normal form.

A value is a sum of products of rational numbers, square roots and symbols. Two terms with the same normal form are
equal; two equal terms may have different ones (`sin²x + cos²x` is not 1). Multiplying out, collecting, and `√8 = 2√2`
are all the algebra there is.
"""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import factorial, isqrt
from typing import TypeAlias

Atom: TypeAlias = Hashable
Monomial: TypeAlias = frozenset[tuple[Atom, int]]

_ONE: Monomial = frozenset()
_TERMS, _EXPONENT, _BITS = 60, 64, 4096
_ROOTS_BELOW = 10**8
"""Radicands from here on keep their square factors: to find them takes too long."""


class TooComplexError(ValueError):
    """The term leaves what this arithmetic handles."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum: for each product of atoms, its rational factor; none is zero."""

    terms: Mapping[Monomial, Fraction]

    @classmethod
    def number(cls, value: Fraction | int) -> "Polynomial":
        """Return the constant `value`.

        Raises:
            TooHard: It has more than a thousand digits.
        """
        exact = Fraction(value)
        if max(exact.numerator.bit_length(), exact.denominator.bit_length()) > _BITS:
            raise TooComplexError
        return cls({_ONE: exact} if exact else {})

    @classmethod
    def symbol(cls, atom: Atom, exponent: int = 1) -> "Polynomial":
        """Return an atom of which nothing is known but its name."""
        return cls({frozenset({(atom, exponent)}): Fraction(1)})

    @property
    def key(self) -> Hashable:
        """Equal for equal normal forms; the number itself for a constant."""
        value = self.constant
        return frozenset(self.terms.items()) if value is None else value

    @property
    def constant(self) -> Fraction | None:
        """The rational number that this is, if it is one."""
        return self.terms.get(_ONE, Fraction(0)) if self.terms.keys() <= {_ONE} else None

    def __add__(self, other: "Polynomial") -> "Polynomial":
        total = dict(self.terms)
        for monomial, factor in other.terms.items():
            total[monomial] = total.get(monomial, Fraction(0)) + factor
        return _bound({monomial: factor for monomial, factor in total.items() if factor})

    def __neg__(self) -> "Polynomial":
        return Polynomial({monomial: -factor for monomial, factor in self.terms.items()})

    def __mul__(self, other: "Polynomial") -> "Polynomial":
        total = Polynomial({})
        for left, first in self.terms.items():
            total += _bound(dict(_product(left, first, right, second) for right, second in other.terms.items()))
        return total

    def __pow__(self, exponent: int) -> "Polynomial":
        bits = max((factor.numerator.bit_length() for factor in self.terms.values()), default=0)
        if abs(exponent) * max(bits, _BITS // _EXPONENT * (len(self.terms) > 1)) > _BITS:
            raise TooComplexError
        base, power = (self if exponent >= 0 else inverse(self)), Polynomial.number(1)
        for _ in range(abs(exponent)):
            power *= base
        return power


def inverse(value: Polynomial) -> Polynomial:
    """Return one over `value`: exact for a product, and for two terms whose conjugate rids them of their roots.

    Raises:
        TooHard: `value` is zero.
    """
    if not value.terms:
        raise TooComplexError
    (monomial, factor), *rest = sorted(value.terms.items(), key=lambda term: sorted(map(repr, term[0])))
    if not rest:
        flipped = frozenset((atom, -exponent) for atom, exponent in monomial)
        return Polynomial(dict([_product(flipped, 1 / factor, _ONE, Fraction(1))]))
    head = Polynomial({monomial: factor})
    conjugate = head + head + -value
    if len(rest) == 1 and (square := (value * conjugate).constant):
        return conjugate * Polynomial.number(1 / square)
    monic = value * Polynomial.number(1 / factor)
    return Polynomial.symbol(("sum", monic.key), -1) * Polynomial.number(1 / factor)


def square_root(value: Polynomial) -> Polynomial:
    """Return the principal root; an opaque atom unless `value` is a rational number that is not negative."""
    number = value.constant
    if number is None or number < 0:
        return Polynomial.symbol(("root", value.key))
    if number == 0:
        return value
    radicand = number.numerator * number.denominator
    outside, inside = _without_squares(radicand)
    return Polynomial(dict([_product(_root(inside), Fraction(outside, number.denominator), _ONE, Fraction(1))]))


def _root(radicand: int) -> Monomial:
    return _ONE if radicand == 1 else frozenset({(radicand, 1)})


def _product(left: Monomial, first: Fraction, right: Monomial, second: Fraction) -> tuple[Monomial, Fraction]:
    """Two products multiplied; integers among the atoms are square roots, and at most one remains."""
    exponents: dict[Atom, int] = {}
    for atom, exponent in (*left, *right):
        exponents[atom] = exponents.get(atom, 0) + exponent
    factor, radicand = first * second, 1
    for atom in [atom for atom in exponents if isinstance(atom, int)]:
        half, odd = divmod(exponents.pop(atom), 2)
        factor *= Fraction(atom) ** half
        radicand *= atom**odd
    outside, inside = _without_squares(radicand)
    kept = {(atom, exponent) for atom, exponent in exponents.items() if exponent}
    return _root(inside) | kept, factor * outside


def _without_squares(number: int) -> tuple[int, int]:
    """`number` as outside² · inside."""
    whole = isqrt(number)
    if whole * whole == number:
        return whole, 1
    outside, divisor = 1, 2
    while number < _ROOTS_BELOW and divisor * divisor <= number:
        while number % (divisor * divisor) == 0:
            outside, number = outside * divisor, number // (divisor * divisor)
        divisor += 1
    return outside, number


def _bound(terms: dict[Monomial, Fraction]) -> Polynomial:
    if len(terms) > _TERMS or any(factor.numerator.bit_length() > _BITS for factor in terms.values()):
        raise TooComplexError
    return Polynomial(terms)


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


def parse_polynomial(text: str) -> Polynomial | None:
    """Return the value of `text`; `None` for what is no expression, or one that can be read in two ways.

    Letters side by side, and digits after a letter, are words and formulae (`ab`, `H2O`), not products.
    """
    text = _RAISED.sub(lambda raised: f"^({raised[0].translate(_SUPERSCRIPTS)})", text.translate(_SPELLINGS))
    text = _ROOT_SIGN.sub(r"sqrt(\1)", text).replace("√", "sqrt")
    text = _SCIENTIFIC.sub(r"\1*10^(\2)", _MIXED.sub(_expand_mixed, text))
    if len(text) > _LONGEST or _FORMULA.search(_FUNCTION.sub(" ", text)):
        return None
    tokens = _tokens(text)
    try:
        return _Reader(tokens).whole() if tokens else None
    except (TooComplexError, RecursionError):
        return None


def _expand_mixed(match: re.Match[str]) -> str:
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

    def _take(self, *tokens: str) -> str:
        token = self._next
        if not token or (tokens and token not in tokens):
            return ""
        self._at += 1
        return token

    def whole(self) -> Polynomial:
        value = self._sum()
        if self._next:
            raise TooComplexError
        return value

    def _sum(self) -> Polynomial:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise TooComplexError
        value = self._product()
        while sign := self._take("+", "-"):
            value += self._product() if sign == "+" else -self._product()
        self._depth -= 1
        return value

    def _product(self) -> Polynomial:
        value, divided = self._parse_signed(), False
        while True:
            if sign := self._take("*", "/"):
                factor = self._parse_signed()
                value, divided = value * (factor if sign == "*" else inverse(factor)), divided or sign == "/"
            elif self._next and (self._next == "(" or self._next[0].isalpha() or self._next == "∞"):
                if divided:  # 1/2x
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
        return _raise(base, self._parse_signed()) if self._take("^") else base

    def _atom(self) -> Polynomial:
        piece = self._take()
        if piece == "(":
            value = self._sum()
            if not self._take(")"):
                raise TooComplexError
            return value
        if piece in _FUNCTIONS:
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
