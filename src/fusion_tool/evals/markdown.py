"""A summary as Markdown."""

import re
from collections.abc import Sequence

from fusion_tool.evals.sheets import Sheet, sheets
from fusion_tool.evals.summary import Summary

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def to_markdown(summary: Summary) -> str:
    """The report; nothing in it that came from a task, an arm or a model is read as markup."""
    return "\n".join(["# Evaluation", *(line for sheet in sheets(summary) for line in _lines(sheet))]) + "\n"


def _lines(sheet: Sheet) -> list[str]:
    lines = ["", f"## {_escaped(sheet.title)}", ""]
    if sheet.rows:
        lines += [_row(sheet.columns), _row(["---", *["---:"] * (len(sheet.columns) - 1)], escape=False)]
        lines += [_row(row) for row in sheet.rows]
    return lines + [f"- {_escaped(sentence)}" for sentence in sheet.sentences]


def _row(cells: Sequence[str], *, escape: bool = True) -> str:
    return f"| {' | '.join(_escaped(cell) if escape else cell for cell in cells)} |"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
