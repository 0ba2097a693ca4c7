"""Arithmetic and simple algebra in an exact normal form.

A value is a sum of products of rational numbers, square roots and symbols. Two terms with the same normal form are
equal; two equal terms may have different ones (`sin²x + cos²x` is not 1). Multiplying out, collecting terms and taking
squares out of roots (`√8 = 2√2`) is all the algebra there is. A computer algebra system would prove more equalities,
but takes unbounded time for some terms; here limits on a term's size bound the time, too.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

Atom: TypeAlias = Hashable
Monomial: TypeAlias = frozenset[tuple[Atom, int]]

_ONE: Monomial = frozenset()
# The text comes from a model: `9^9^9^9` and `(a+b+c)^50` must end at once and not fill the memory.
_MAX_TERMS, _MAX_EXPONENT, _MAX_BITS = 60, 64, 4096
_MAX_RADICAND = 10**8
"""Radicands from here on keep their square factors: trial division by every smaller number would take too long."""


class TooComplexError(ValueError):
    """The term is too large for this arithmetic, or of a kind that it does not handle."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum of products.

    Args:
        terms: The rational factor of each product of atoms; none is zero, so that equal sums have equal terms.
    """

    terms: Mapping[Monomial, Fraction]

    @classmethod
    def number(cls, value: Fraction | int) -> "Polynomial":
        """Return the constant `value`.

        Raises:
            TooComplexError: It has more than a thousand digits.
        """
        exact = Fraction(value)
        if max(exact.numerator.bit_length(), exact.denominator.bit_length()) > _MAX_BITS:
            raise TooComplexError
        return cls({_ONE: exact} if exact else {})

    @classmethod
    def symbol(cls, atom: Atom, exponent: int = 1) -> "Polynomial":
        """Return an atom, of which nothing is known but its name, to the power of `exponent`."""
        return cls({frozenset({(atom, exponent)}): Fraction(1)})

    @property
    def key(self) -> Hashable:
        """The normal form as a key; the number itself for a constant."""
        value = self.constant
        return frozenset(self.terms.items()) if value is None else value

    @property
    def constant(self) -> Fraction | None:
        """The rational number that this is; `None` where it is none."""
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
        # Estimated before the multiplication and not checked after it: the result may not fit into the memory. The
        # exponent itself is limited only for a sum, whose terms multiply; `x^1000` is one term.
        bits = max((factor.numerator.bit_length() for factor in self.terms.values()), default=0)
        if abs(exponent) * max(bits, _MAX_BITS // _MAX_EXPONENT * (len(self.terms) > 1)) > _MAX_BITS:
            raise TooComplexError
        base, power = (self if exponent >= 0 else inverse(self)), Polynomial.number(1)
        for _ in range(abs(exponent)):
            power *= base
        return power


def inverse(value: Polynomial) -> Polynomial:
    """Return one over `value`: exact for a product, and for two terms that their conjugate makes rational.

    Raises:
        TooComplexError: `value` is zero.
    """
    if not value.terms:
        raise TooComplexError
    (monomial, factor), *rest = sorted(value.terms.items(), key=lambda term: sorted(map(repr, term[0])))
    if not rest:
        flipped = frozenset((atom, -exponent) for atom, exponent in monomial)
        return Polynomial(dict([_product(flipped, 1 / factor, _ONE, Fraction(1))]))
    # 1 / (a + b) = (a - b) / (a² - b²), where the squares of roots leave a rational number.
    head = Polynomial({monomial: factor})
    conjugate = head + head + -value
    if len(rest) == 1 and (square := (value * conjugate).constant):
        return conjugate * Polynomial.number(1 / square)
    # Any other sum is an atom, divided by its first factor, so that 1 / (2x + 2) is half of 1 / (x + 1).
    monic = value * Polynomial.number(1 / factor)
    return Polynomial.symbol(("sum", monic.key), -1) * Polynomial.number(1 / factor)


def square_root(value: Polynomial) -> Polynomial:
    """Return the principal root; an opaque atom unless `value` is a rational number that is not negative."""
    number = value.constant
    if number is None or number < 0:
        return Polynomial.symbol(("root", value.key))
    if number == 0:
        return value
    # √(p/q) = √(pq) / q: no root is left in a denominator, so that 1/√2 and √2/2 are the same.
    radicand = number.numerator * number.denominator
    outside, inside = _without_squares(radicand)
    return Polynomial(dict([_product(_root(inside), Fraction(outside, number.denominator), _ONE, Fraction(1))]))


def _root(radicand: int) -> Monomial:
    return _ONE if radicand == 1 else frozenset({(radicand, 1)})


def _product(left: Monomial, first: Fraction, right: Monomial, second: Fraction) -> tuple[Monomial, Fraction]:
    """Multiply two products; integers among the atoms stand for their square roots, of which at most one remains."""
    exponents: dict[Atom, int] = {}
    for atom, exponent in (*left, *right):
        exponents[atom] = exponents.get(atom, 0) + exponent
    factor, radicand = first * second, 1
    for atom in [atom for atom in exponents if isinstance(atom, int)]:
        half, odd = divmod(exponents.pop(atom), 2)
        factor *= Fraction(atom) ** half
        radicand *= atom**odd
    outside, inside = _without_squares(radicand)
    others = {(atom, exponent) for atom, exponent in exponents.items() if exponent}
    return _root(inside) | others, factor * outside


def _without_squares(number: int) -> tuple[int, int]:
    """Return `outside` and `inside` of `number` = outside² · inside."""
    # Perfect squares of any size are seen at once; what follows is trial division.
    whole = isqrt(number)
    if whole * whole == number:
        return whole, 1
    outside, divisor = 1, 2
    while number < _MAX_RADICAND and divisor * divisor <= number:
        while number % (divisor * divisor) == 0:
            outside, number = outside * divisor, number // (divisor * divisor)
        divisor += 1
    return outside, number


def _bound(terms: dict[Monomial, Fraction]) -> Polynomial:
    if len(terms) > _MAX_TERMS or any(factor.numerator.bit_length() > _MAX_BITS for factor in terms.values()):
        raise TooComplexError
    return Polynomial(terms)
