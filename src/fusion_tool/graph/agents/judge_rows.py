"""The lists of a judge's reply as rows, however they are written: as lists, as strings, as mappings."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from fusion_tool.models.json_reader import parse_json

_NOTHING = frozenset({"", "-", "none", "n/a", "null", "nothing"})
_BULLET = re.compile(r"(?:[-*•]|\(?\d{1,2}[.)])\s+")
_BETWEEN_LETTERS = re.compile(r"\s*(?:[,;/&\n]|\band\b)\s*", re.IGNORECASE)
_LETTER = re.compile(r"(?:answer\s+)?\(?[A-K]\)?", re.IGNORECASE)
_LETTER_SAYS = re.compile(r"\s*((?:answer\s+)?\(?[A-K]\)?)\s*:\s*(.+)", re.IGNORECASE | re.DOTALL)
_NEXT_LETTER = re.compile(r"\s*;\s*(?=(?:answer\s+)?\(?[A-K]\)?\s*:)", re.IGNORECASE)
_ALIASES: dict[str, tuple[str, ...]] = {
    "stances": ("positions", "views", "claims"),
    "stance": ("position", "view", "claim", "statement"),
    "model": ("answer", "letter", "models", "answers"),
    "models": ("answers", "model", "covered_by"),
    "topic": ("issue", "subject", "point"),
    "point": ("topic", "claim", "statement"),
    "insight": ("point", "claim", "statement"),
}
"""What models call a field that the schema calls otherwise."""
_TEXT_KEYS = ("point", "claim", "statement", "text", "topic", "description")
"""Where the text stands if a model makes a row of it."""
_SHORT_TERM = 3
"""Words that a part of a comma-separated list of terms has at most; a sentence has commas, too."""


def text_items(value: Any) -> list[Any]:
    """Return the items of a list of texts; one that was written as a string is parsed, or split."""
    value = _decode(value)
    if not isinstance(value, str):
        return [item for item in _items(value) if not _says_nothing(item)]
    lines = [_BULLET.sub("", line.strip(), count=1) for line in value.splitlines() if line.strip()]
    # One line is one item where it ends as a sentence does, however many commas are in it.
    if len(lines) == 1 and not lines[0].endswith((".", "!", "?")):
        terms = [term.strip() for term in lines[0].split(",")]
        if all(0 < len(term.split()) <= _SHORT_TERM for term in terms):
            return terms
    return lines


def text_rows(value: Any) -> list[Any]:
    """Return the items of a list of texts, out of rows that a model made of them."""
    return [_text_of(item) for item in text_items(value)]


def contradiction_rows(value: Any) -> list[Any]:
    """Return rows of `topic` and `stances`; a mapping has stances by topic."""
    rows = _rows(value, ("topic", "stances"), lambda topic, stances: [{"topic": topic, "stances": stances}])
    return [_with(_gather_stances(row), "stances", _stance_rows) for row in rows]


def insight_rows(value: Any) -> list[Any]:
    """Return rows of `model` and `insight`; a mapping has insights by model."""
    return _rows(
        value,
        ("model", "insight"),
        lambda model, insights: [{"model": model, "insight": text} for text in text_items(insights)],
    )


def coverage_rows(value: Any) -> list[Any]:
    """Return rows of `models` and `point`; a mapping has points by model, or models by point."""
    rows = _rows(value, ("models", "point"), _coverage_row)
    return [_with(row, "models", _letters) for row in rows]


def claim_rows(value: Any) -> list[Any]:
    """Return rows of `model`, `claim` and `why`; a mapping has claims by model, a text begins with its letter."""
    value = text_items(value) if isinstance(value, str) else value
    rows = [_named_row(row, "claim") for row in _rows(value, ("model", "claim", "why"), _claim_rows)]
    # Who gives no reason may say so by a null.
    return [row | {"why": row.get("why") or ""} if isinstance(row, dict) else row for row in rows]


ROWS: dict[str, Callable[[Any], list[Any]]] = {
    "contradictions": contradiction_rows,
    "partial_coverage": coverage_rows,
    "unique_insights": insight_rows,
    "unsupported_claims": claim_rows,
}
"""How each list that holds more than texts is read."""


def _with(row: Any, field: str, read: Callable[[Any], list[Any]]) -> Any:
    return row | {field: read(row[field])} if isinstance(row, dict) and field in row else row


def _coverage_row(key: str, value: Any) -> list[dict[str, Any]]:
    if all(_LETTER.fullmatch(part) for part in _BETWEEN_LETTERS.split(key)):
        return [{"models": key, "point": text} for text in text_items(value)]
    return [{"models": value, "point": key}]


def _claim_rows(model: str, value: Any) -> list[dict[str, Any]]:
    rows = [dict(claim) if isinstance(claim, Mapping) else {"claim": claim} for claim in text_items(value)]
    return [{"model": model} | row for row in rows]


def _stance_rows(value: Any) -> list[Any]:
    if isinstance(value, str):
        items = text_items(value)
        value = [part for item in items for part in (_NEXT_LETTER.split(item) if isinstance(item, str) else [item])]
    rows = _rows(value, ("model", "stance"), lambda model, stance: [{"model": model, "stance": stance}])
    named = [_named_row(row, "stance") for row in rows]
    return [each for row in named for each in _one_each(row)]


def _one_each(row: Any) -> list[Any]:
    """Return a row for each model of a stance that names several."""
    if isinstance(row, dict) and isinstance(row.get("model"), list):
        return [row | {"model": model} for model in row["model"]]
    return [row]


def _gather_stances(row: Any) -> Any:
    """Return a row whose stances stand beside its topic, by their letters, with these in a field of their own."""
    if not isinstance(row, dict) or "stances" in row:
        return row
    stances = {key: value for key, value in row.items() if _LETTER.fullmatch(str(key))}
    return {"topic": row.get("topic"), "stances": stances} if stances else row


def _named_row(row: Any, field: str) -> Any:
    """Return the row that a text such as "A: 1861" stands for, anything else as it is."""
    if isinstance(row, list) and len(row) == 2 and _LETTER.fullmatch(str(row[0])):  # noqa: PLR2004 - a pair
        return {"model": row[0], field: row[1]}
    match = _LETTER_SAYS.fullmatch(row) if isinstance(row, str) else None
    return {"model": match[1], field: match[2].strip()} if match else row


def _letters(value: Any) -> list[Any]:
    value = _decode(value)
    return _BETWEEN_LETTERS.split(value.strip()) if isinstance(value, str) else _items(value)


def _rows(value: Any, fields: tuple[str, ...], expand: Callable[[str, Any], list[dict[str, Any]]]) -> list[Any]:
    """Return rows with no more than `fields`; of a mapping without them `expand` makes rows, of each key and value."""
    rows: list[Any] = []
    for raw in map(_decode, _items(_decode(value))):
        item = _rename(raw, fields) if isinstance(raw, Mapping) else raw
        if _says_nothing(item):
            continue
        if not isinstance(item, Mapping):
            rows.append(item)
        elif item.keys() & set(fields):
            rows.append({name: item[name] for name in item if name in fields or _LETTER.fullmatch(str(name))})
        else:
            rows += [row for pair in item.items() for row in expand(*pair)]
    return [
        {name: part if name == "model" else _as_text(part) for name, part in row.items()}
        if isinstance(row, dict)
        else row
        for row in rows
    ]


def _rename(item: Mapping[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
    """Return the item with the schema's names for its fields, where it has none of that name itself."""
    renamed = dict(item)
    for name in fields:
        alias = next((key for key in _ALIASES.get(name, ()) if key in renamed and key not in fields), None)
        if name not in renamed and alias:
            renamed[name] = renamed.pop(alias)
    return renamed


def _text_of(item: Any) -> Any:
    """Return the text of an item that a model made a row of; any other item as it is."""
    if not isinstance(item, Mapping):
        return item
    return next((item[key] for key in _TEXT_KEYS if isinstance(item.get(key), str)), item)


def _says_nothing(item: Any) -> bool:
    return item is None or (isinstance(item, str) and item.strip().lower().rstrip(".") in _NOTHING)


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and value and all(str(key).isdecimal() for key in value):
        return list(value.values())  # numbered
    return [value] if value else []


def _decode(value: Any) -> Any:
    """Return the value of a string that is JSON, `None` for a word that says "nothing", anything else as it is."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.lower().rstrip(".") in _NOTHING:
        return None
    if text[:1] in ("[", "{", '"'):
        # A list's rows may come without its brackets.
        for candidate in (text, f"[{text}]"):
            try:
                return parse_json(candidate)
            except ValueError:
                continue
    return value


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
