"""Golden files: what a person reviewed once, and reviews again when it changes.

`UPDATE_SNAPSHOTS=1 pytest tests/contracts` writes them anew.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "snapshots"


def matches(name: str, text: str) -> bool:
    """Whether the golden file `name` holds `text`; it is written first where an update was asked for."""
    path = FOLDER / name
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", "utf-8")
    return path.is_file() and path.read_text("utf-8") == f"{text}\n"
