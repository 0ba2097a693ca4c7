"""How long `import fusion_tool` and `fusion-tool --help` take in a fresh process, with compiled bytecode.

    python benchmarks/startup.py

The import is timed inside the process; the command from its start to its end, next to a bare `python -c pass`.
"""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

TIMES = 15
IMPORT = "import time; start = time.perf_counter(); import fusion_tool; print(time.perf_counter() - start)"
COMMAND = Path(sys.executable).with_name("fusion-tool")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own


def milliseconds(*command: str) -> float:
    start = perf_counter()
    output(*command)
    return (perf_counter() - start) * 1000


def row(name: str, times: list[float], target: str) -> None:
    print(f"| {name} | {median(times):.0f} ms | {min(times):.0f} ms | {target} |")


if __name__ == "__main__":
    output(sys.executable, "-c", IMPORT)  # compiles what is not compiled yet
    print(f"| median of {TIMES} fresh processes | median | best | target |\n|---|---|---|---|")
    row("`import fusion_tool`", [float(output(sys.executable, "-c", IMPORT)) * 1000 for _ in range(TIMES)], "30 ms")
    row("`python -c pass`", [milliseconds(sys.executable, "-c", "pass") for _ in range(TIMES)], "")
    output(str(COMMAND), "--help")
    row("`fusion-tool --help`", [milliseconds(str(COMMAND), "--help") for _ in range(TIMES)], "400 ms")
