"""Private data: patterns of secrets and personal data, with the checks of their digits and words."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import regex

from fusion_tool.config.storage import config_path, modified_at, read_toml
from fusion_tool.errors import ConfigError

# Questions about code are full of example keys: only what looks like a real one may keep a question on this machine.
_PLACEHOLDER = re.compile(
    r"example|your[_-]?|my[_-]?(pass|secret|key)|change[_-]?me|redacted|placeholder|dummy|\bfoo\b|x{4,}|\*{3,}|\.{3}"
    r"|^[$%<{\[]|^(os\.|process\.|env|getenv|config|settings|self\.|args\.|none$|null$|true$|false$|undefined$)",
    re.IGNORECASE,
)
_ALGORITHM = re.compile(
    r"^(sha|md|aes|base|utf|argon|oauth|pbkdf|rsa|ed|hmac|bcrypt|scrypt|hs|rs|es|ascii|iso|rfc|http|v|version)[-_/]?\d",
    re.IGNORECASE,
)
_WORDS_FOR_PASSWORDS = frozenset({"password", "passwort", "pass", "passwd", "pwd", "secret", "token", "hunter", "user"})
_OFFICE = re.compile(
    r"(abuse|accounts?|admin|billing|bugs|careers|contact|enquir(y|ies)|feedback|git|hello|help(desk)?|hostmaster|info"
    r"|jobs|legal|mail|marketing|media|newsletter|no-?reply|office|orders?|postmaster|press|privacy|root|sales|security"
    r"|service|support|team|user(name)?|webmaster|(your|first|full)?[._-]?name|you|someone|somebody)([+].*)?"
)
_EXAMPLE_DOMAIN = re.compile(r"(^|\.)(example(\.(com|org|net|edu))?|test|invalid|localhost|local|domain\.com)$")
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SD": 18,
    "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22,
    "VG": 24, "XK": 20,
}  # fmt: skip
"""The SWIFT registry's lengths of account numbers, country by country."""


def luhn(text: str) -> bool:
    """Return whether the last digit is the check digit (ISO/IEC 7812-1, annex B); one digit repeated is none."""
    digits = _digits(text)
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(doubled) + sum(digits[::-2])) % 10 == 0


def iban(text: str) -> bool:
    """Return whether an account number has its country's length and check digits (ISO 13616, ISO 7064 mod 97-10)."""
    account = text.replace(" ", "")
    if len(account) != _IBAN_LENGTHS.get(account[:2]):
        return False
    return int("".join(str(int(char, 36)) for char in account[4:] + account[:4])) % 97 == 1


def cpf(text: str) -> bool:
    """Return whether a Brazilian taxpayer's number closes with its two check digits (modulo 11)."""
    digits = _digits(text)
    return len(set(digits)) > 1 and all(
        digits[n] == sum((n + 1 - i) * digits[i] for i in range(n)) * 10 % 11 % 10 for n in (9, 10)
    )


def dni(text: str) -> bool:
    """Return whether a Spanish identity number closes with its letter (modulo 23)."""
    number = text.replace("-", "")
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return len(digits) == len("12345678") and "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]


def phone(text: str) -> bool:
    """Return whether there are as many digits as a telephone number has (ITU-T E.164: at most 15)."""
    return 7 <= len(_digits(text)) <= 15  # noqa: PLR2004 - the standard's


def secret(text: str) -> bool:
    """Return whether it is a key, not a placeholder: some digit in it, and no placeholder's word."""
    return any(char.isdigit() for char in text) and not _PLACEHOLDER.search(text)


def password(text: str) -> bool:
    """Return whether it looks like a real password: letters with digits or signs, and no placeholder."""
    plain = text.strip(".!?:").casefold()
    # The last character is left out: at a sentence's end it may be a question or exclamation mark of the sentence.
    mixed = any(char.isalpha() for char in plain) and any(char.isdigit() or char in "!@#$%^&*+?" for char in text[:-1])
    # "the password is sha256": names of algorithms are letters with digits, too.
    is_known = plain in _WORDS_FOR_PASSWORDS or _ALGORITHM.match(plain) or _PLACEHOLDER.search(text)
    return mixed and not is_known


def person(text: str) -> bool:
    """Return whether an e-mail address is a person's: no office's, nor of a reserved example domain (RFC 2606)."""
    name, _, domain = text.casefold().rpartition("@")
    return not _OFFICE.fullmatch(name) and not _EXAMPLE_DOMAIN.search(domain)


def numbered(text: str) -> bool:
    """Return whether most of it is digits, as document numbers are."""
    return len(_digits(text)) >= 5  # noqa: PLR2004 - fewer are a year, a section, a form


def _digits(text: str) -> list[int]:
    return [int(char) for char in text if char in "0123456789"]


VALIDATORS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {check.__name__: check for check in (luhn, iban, cpf, dni, phone, secret, password, person, numbered)}
)
"""The checks, by the names that pattern files use."""


FILE = "private_patterns.toml"
"""In the user's configuration folder: additions to the shipped file of the same name, which tells what it holds."""
_PATIENCE = 1.0
"""Seconds of CPU that one pattern may take. The shipped ones are linear; a user's own may not be."""
_KEYS = frozenset({"pattern", "holds", "check", "off"})


@dataclass(frozen=True)
class Pattern:
    """One thing that makes a question private.

    Args:
        name: What it is, for people.
        expression: What is searched; the group `value`, where there is one, is what is checked.
        holds: Words, in lower case, one of which a text must hold for the search to be made; none: it always is.
        check: A name out of `VALIDATORS`, `None` where any match counts.
    """

    name: str
    expression: regex.Pattern[str]
    holds: tuple[str, ...] = ()
    check: str | None = None

    def occurs_in(self, text: str, folded: str) -> bool:
        """Return whether the pattern occurs in `text`; one that takes too long counts as found.

        Args:
            text: The text.
            folded: The same in lower case.
        """
        if self.holds and not any(word in folded for word in self.holds):  # most texts end here, for microseconds
            return False
        try:
            matches = self.expression.finditer(text, timeout=_PATIENCE)
            return any(self.check is None or VALIDATORS[self.check](_value(match)) for match in matches)
        except TimeoutError:
            return True  # undecided, and rather kept on this machine by mistake than sent away by mistake


def private_pattern(question: str, context: str, patterns: Sequence[Pattern]) -> str | None:
    """Return the name of the first pattern that makes the question private; `None` where none does.

    Args:
        question: The question.
        context: What is already known, and instructions, which go wherever the question goes.
        patterns: As `load_patterns` returns them.
    """
    text = f"{question}\n{context}"
    folded = text.casefold()
    return next((pattern.name for pattern in patterns if pattern.occurs_in(text, folded)), None)


def load_patterns(folder: Path | None = None) -> tuple[Pattern, ...]:
    """Load the user's patterns, then the shipped ones that are not turned off; again when the file changes.

    Args:
        folder: Where the user's file is; by default this user's configuration folder.

    Raises:
        ConfigError: The file cannot be read, or has an unknown key or check, or no regular expression.
    """
    path = (folder or config_path()) / FILE
    return _load(path, modified_at(path))


# The time of the last change is part of the key, so that a server sees a changed file without a restart.
@lru_cache(maxsize=4)
def _load(path: Path, mtime: int | None) -> tuple[Pattern, ...]:
    shipped = tomllib.loads(resources.files(__package__).joinpath(FILE).read_text("utf-8"))
    user_tables = read_toml(path) if mtime is not None else {}
    try:
        # The user's first, in their order, and in the place of a shipped one of the same name.
        tables = user_tables | {name: user_tables.get(name, table) for name, table in shipped.items()}
        return tuple(_pattern(name, table) for name, table in tables.items() if not _is_off(table))
    except ConfigError as error:
        raise ConfigError(f"{error.message} (in {path})", field=error.field) from None


def _is_off(table: Any) -> bool:
    return isinstance(table, Mapping) and table.get("off") is True


def _pattern(name: str, table: Any) -> Pattern:
    if not isinstance(table, Mapping) or not isinstance(table.get("pattern"), str):
        raise ConfigError('expected a table with a pattern: ["project name"] pattern = ...', field=name)
    if unknown := set(table) - _KEYS:
        raise ConfigError("no such setting", field=f"{name}.{min(unknown)}")
    if (check := table.get("check")) is not None and check not in VALIDATORS:
        raise ConfigError(f"no check '{check}'; there are {', '.join(VALIDATORS)}", field=f"{name}.check")
    holds = table.get("holds", [])
    if not isinstance(holds, list) or not all(isinstance(word, str) for word in holds):
        raise ConfigError("expected a list of words", field=f"{name}.holds")
    # By the `regex` package, whose searches have a time limit: a user's pattern may take exponential time.
    try:
        expression = regex.compile(table["pattern"])
    except regex.error as error:
        raise ConfigError(f"is no regular expression: {error}", field=f"{name}.pattern") from None
    return Pattern(name, expression, tuple(word.casefold() for word in holds), check)


def _value(match: "regex.Match[str]") -> str:
    return match["value"] if "value" in match.re.groupindex else match[0]
