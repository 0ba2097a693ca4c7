"""A kept run as a picture of a terminal: `python docs/record.py RUN_ID FILE.svg`; no model is asked."""

import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

_COLUMNS = 104


def record(run_id: str, path: Path) -> None:
    """Write what `fusion-tool runs show` prints of a run as an SVG."""
    command = ["fusion-tool", "runs", "show", run_id]
    shown = subprocess.run(
        [sys.executable, "-m", "fusion_tool", *command[1:]],
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(_COLUMNS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    console = Console(record=True, width=_COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(f"$ {' '.join(command)}\n{shown.stdout.decode()}"))
    picture = console.export_svg(title="fusion-tool")
    # Without rich's fonts, which a reader would fetch from a third party.
    path.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    record(sys.argv[1], Path(sys.argv[2]))
