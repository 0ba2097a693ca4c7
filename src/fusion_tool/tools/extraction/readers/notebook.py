"""Text out of a Jupyter notebook (nbformat 3 and 4): prose, code, and what the code printed."""

import json
import re
from collections.abc import Iterator
from typing import Any

from fusion_tool.tools.extraction.content import ExtractionError

_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*?)[ \t#]*$", re.MULTILINE)
_MOST_OUTPUT = 5_000  # characters of one cell's output: logs of training runs are long and say little


def read_notebook(data: bytes, max_chars: int) -> tuple[str, str]:
    """Return the first heading and the cells of a notebook; pictures and rendered HTML are left out."""
    try:
        notebook = json.loads(data)
        cells = notebook.get("cells") or [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExtractionError("the notebook is no valid JSON of cells") from error
    text = "\n\n".join(part for cell in cells if isinstance(cell, dict) for part in _parts(cell) if part)[:max_chars]
    prose = [
        _joined(cell.get("source")) for cell in cells if isinstance(cell, dict) and cell.get("cell_type") != "code"
    ]
    heading = _HEADING.search("\n".join(prose))
    return heading[1] if heading else "", text


def _parts(cell: dict[str, Any]) -> Iterator[str]:
    yield _joined(cell.get("source", cell.get("input"))).strip()
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict):
            data = output.get("data")
            plain = output.get("text") or (data.get("text/plain") if isinstance(data, dict) else None)
            yield _joined(plain).strip()[:_MOST_OUTPUT]


def _joined(value: Any) -> str:
    """Return a multi-line string, which the format stores as one string or as its lines."""
    lines = value if isinstance(value, list) else [value]
    return "".join(line for line in lines if isinstance(line, str))
