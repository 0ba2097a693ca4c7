"""Text out of tables: spreadsheets (with calamine), CSV files, and the tables of other documents.

A row is written with its columns' names, so that any part of a long table can be read by itself.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fusion_tool.tools.extraction.content import ExtractionError, take_texts

_SNIFFED = 8_192
_DELIMITERS = ",;\t|"


def table_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table's rows as lines of text: `name: value | name: value` under a first row of names.

    Args:
        rows: The cells' texts. Where the first row is not made of names, rows are written as they are.
    """
    names: list[str] | None = None
    for number, row in enumerate(rows):
        cells = [" ".join(cell.split()) for cell in row]
        if not any(cells):
            continue
        if number == 0 and _are_names(cells):
            names = cells
            yield " | ".join(cells)
        elif names is not None:
            padded = [*names, *[""] * (len(cells) - len(names))]
            yield " | ".join(
                f"{name}: {cell}" if name else cell for name, cell in zip(padded, cells, strict=False) if cell
            )
        else:
            yield " | ".join(cell for cell in cells if cell)


def read_csv(data: bytes, max_chars: int) -> tuple[str, str]:
    """Return an empty title and the rows of a file of separated values in UTF-8, whatever separates them."""
    if b"\0" in data[:_SNIFFED]:
        raise ExtractionError("it is binary, not rows of text")
    text = data.decode("utf-8", "replace")[: 2 * max_chars]
    try:
        dialect: Any = csv.Sniffer().sniff(text[:_SNIFFED], _DELIMITERS)
    except csv.Error:  # one column, or rows that do not look alike
        dialect = csv.excel
    csv.field_size_limit(max_chars)
    try:
        rows = table_lines(csv.reader(io.StringIO(text, newline=""), dialect))
        return "", "\n".join(take_texts(rows, max_chars)).strip()
    except csv.Error as error:
        raise ExtractionError(f"the rows cannot be read: {type(error).__name__}") from error


def read_workbook(data: bytes, max_chars: int) -> tuple[str, str]:
    """Return an empty title and the rows of every visible sheet, each under its name; values, not formulas."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetVisibleEnum

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        visible = [sheet.name for sheet in workbook.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
        sheets = ((name, workbook.get_sheet_by_name(name).iter_rows()) for name in visible)
        lines = (line for name, rows in sheets for line in _sheet_lines(name, rows))
        return "", "\n".join(take_texts(lines, max_chars)).strip()
    except CalamineError as error:
        raise ExtractionError(f"the workbook cannot be read: {type(error).__name__}") from error


def _sheet_lines(name: str, rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    # Row by row: a sheet has up to a million, of which a part is wanted.
    lines = table_lines([_cell(cell) for cell in row] for row in rows)
    for first in lines:
        yield from ("", f"Sheet {name}", first)
        yield from lines


def _cell(value: Any) -> str:
    # Spreadsheets know no integers: 1861.0 was entered as 1861.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _are_names(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return len(filled) > 1 and len(set(filled)) == len(filled) and not any(_is_number(cell) for cell in filled)


def _is_number(cell: str) -> bool:
    return cell.lstrip("+-").replace(",", "").replace(".", "").replace("%", "").strip().isdecimal()
