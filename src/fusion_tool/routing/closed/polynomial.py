"""Exact values: sums of products of rational numbers, square roots and symbols, in a normal form.

Two terms with the same normal form are equal; two equal terms may have different ones (`sin²x + cos²x` is not 1).
Multiplying out, collecting, and `√8 = 2√2` are all the algebra there is.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import TypeAlias

Atom: TypeAlias = Hashable
Monomial: TypeAlias = frozenset[tuple[Atom, int]]

_ONE: Monomial = frozenset()
_TERMS, _EXPONENT, _BITS = 60, 64, 4096
_ROOTS_BELOW = 10**8
"""Radicands from here on keep their square factors: to find them takes too long."""


class TooHard(ValueError):  # noqa: N818 - no error of the caller's
    """The term leaves what this arithmetic handles."""


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A sum: for each product of atoms, its rational factor; none is zero."""

    terms: Mapping[Monomial, Fraction]

    @classmethod
    def number(cls, value: Fraction | int) -> "Polynomial":
        """The constant `value`.

        Raises:
            TooHard: It has more than a thousand digits.
        """
        exact = Fraction(value)
        if max(exact.numerator.bit_length(), exact.denominator.bit_length()) > _BITS:
            raise TooHard
        return cls({_ONE: exact} if exact else {})

    @classmethod
    def symbol(cls, atom: Atom, exponent: int = 1) -> "Polynomial":
        """An atom of which nothing is known but its name."""
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
        return _bounded({monomial: factor for monomial, factor in total.items() if factor})

    def __neg__(self) -> "Polynomial":
        return Polynomial({monomial: -factor for monomial, factor in self.terms.items()})

    def __mul__(self, other: "Polynomial") -> "Polynomial":
        total = Polynomial({})
        for left, first in self.terms.items():
            total += _bounded(dict(_product(left, first, right, second) for right, second in other.terms.items()))
        return total

    def __pow__(self, exponent: int) -> "Polynomial":
        bits = max((factor.numerator.bit_length() for factor in self.terms.values()), default=0)
        if abs(exponent) * max(bits, _BITS // _EXPONENT * (len(self.terms) > 1)) > _BITS:
            raise TooHard
        base, power = (self if exponent >= 0 else inverse(self)), Polynomial.number(1)
        for _ in range(abs(exponent)):
            power *= base
        return power


def inverse(value: Polynomial) -> Polynomial:
    """One over `value`: exact for a product, and for two terms whose conjugate rids them of their roots.

    Raises:
        TooHard: `value` is zero.
    """
    if not value.terms:
        raise TooHard
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
    """The principal root; an opaque atom unless `value` is a rational number that is not negative."""
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


def _bounded(terms: dict[Monomial, Fraction]) -> Polynomial:
    if len(terms) > _TERMS or any(factor.numerator.bit_length() > _BITS for factor in terms.values()):
        raise TooHard
    return Polynomial(terms)
