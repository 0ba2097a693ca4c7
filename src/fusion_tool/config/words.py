"""The words of an error that a user reads: what was expected instead of a wrong value, and the nearest right name.

Without pydantic, whose own words name Python's types: the command line uses these, too.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import NoneType
from typing import Any


def did_you_mean(name: str, known: Collection[str], *, prefix: str = "", cutoff: float = 0.6) -> str:
    """Return a clause with the known name that comes nearest to `name`, to be put behind the error; else empty.

    Args:
        name: What somebody wrote.
        known: The names that there are.
        prefix: What stands before each of them, and is not compared.
        cutoff: How much of the names must be alike, from 0 to 1.
    """
    by_lower_case = {right.lower(): right for right in known}
    near = get_close_matches(name.strip().lower(), by_lower_case, n=1, cutoff=cutoff)
    return f" (did you mean '{prefix}{by_lower_case[near[0]]}'?)" if near else ""


_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "tuple": "a list",
    "list": "a list",
    "model": "a table",
    "dict": "a table",
    "path": "a path",
}
"""By the first word of the kinds of complaint that pydantic has about a value's type."""
_OTHERWISE_WRONG = {
    "missing": "is missing",
    "finite_number": "expected a finite number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "int_from_float": "expected a whole number, without a fraction",
    "too_short": "must have {min_length} or more entries",
    "too_long": "must have {max_length} or fewer entries",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have {max_length} or fewer characters",
}


def complaint(errors: list[Any]) -> tuple[str, str]:
    """Return which part of a value is wrong, as a dotted path, and what is wrong with it, in plain words.

    Args:
        errors: The `errors()` of pydantic's `ValidationError`; the first one counts. The value itself, which may be a
            key, is not repeated.
    """
    first = errors[0]
    # Of a choice of forms each has its complaint; the one that goes deepest is about the form that was meant.
    of_same = [error for error in errors if _place(error)[: len(_place(first))] == _place(first)]
    deepest = max(of_same, key=lambda error: (len(_place(error)), not error["type"].endswith("_type")))
    return ".".join(_place(deepest)), _words(deepest)


def _place(error: Mapping[str, Any]) -> list[str]:
    # Beside the names and numbers stand pydantic's own names of the forms, such as `tuple[...]`.
    return [str(part) for part in error["loc"] if isinstance(part, int) or part.isidentifier()]


def _words(error: Mapping[str, Any]) -> str:
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    if kind in _OTHERWISE_WRONG:
        # Bounds as people write them, not as `1.0`.
        whole = {name: int(bound) for name, bound in context.items() if isinstance(bound, float) and bound.is_integer()}
        return _OTHERWISE_WRONG[kind].format(**(context | whole))
    if kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        hint = did_you_mean(value, choices) if isinstance(value, str) else ""
        return f"expected one of {', '.join(choices)}{hint}"
    expected, got = _EXPECTED.get(kind.partition("_")[0], ""), _kind(value)
    if expected:
        return f"expected {expected}" + (f", not {got}" if got and got not in expected else "")
    # Whatever a validator says is ours; pydantic puts two words before it.
    return str(error["msg"]).removeprefix("Value error, ")


_KINDS: tuple[tuple[Any, str], ...] = (
    (NoneType, "nothing"),
    (bool, "true or false"),  # before numbers, of which it is one in Python
    (str, "a text"),
    (int | float, "a number"),
    (list | tuple, "a list"),
    (Mapping, "a table"),
)


def _kind(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "")
