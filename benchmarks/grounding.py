"""How well the citation audit judges: precision and recall of each verdict on the labelled pairs, per file and half.

python benchmarks/grounding.py [dev] [held_out] [--baseline FOLDER]

`FOLDER` is a checkout of another state of the project; its audit judges the same pairs in the same run.
"""

import argparse
import json
import subprocess
import sys
from collections import Counter
from math import sqrt
from pathlib import Path
from time import process_time
from typing import Any

DATA = Path(__file__).parent.parent / "tests" / "data"
FILES = ("support_pairs.jsonl", "support_pairs_2.jsonl")
VERDICTS = ("supported", "weak", "mismatch")
SPLITS = ("dev", "held_out")
Z = 1.959963984540054


def read_pairs(file: str, split: str) -> list[dict[str, Any]]:
    """Return the labelled pairs of one half of a file."""
    lines = (DATA / file).read_text("utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["split"] == split]


def wilson(hits: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22.
    """
    if not total:
        return 0.0, 1.0
    share, square = hits / total, Z * Z
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = Z / (1 + square / total) * sqrt(share * (1 - share) / total + square / (4 * total * total))
    return centre - half, centre + half


def cell(hits: int, total: int) -> str:
    """Return a proportion with its interval as text."""
    low, high = wilson(hits, total)
    share = f"{hits / total:.2f}" if total else "-"
    return f"{share} ({low:.2f}-{high:.2f}), {hits}/{total}"


def judge_pairs() -> None:
    """Read pairs from stdin; write the verdict on each, and the milliseconds of CPU time a pair, to stdout."""
    from fusion_tool.grounding.support import judge_support

    rows = json.load(sys.stdin)
    judge_support("It is warm.", "It is warm.")  # loads the lists, which is no part of a pair's time
    started = process_time()
    verdicts = [judge_support(row["sentence"], row["source"]) for row in rows]
    json.dump([verdicts, 1000 * (process_time() - started) / max(len(rows), 1)], sys.stdout)


def judge_with(folder: Path, rows: list[dict[str, Any]]) -> tuple[list[str], float]:
    """Return the verdicts of the audit in `folder` on `rows`, and the milliseconds a pair.

    Raises:
        CalledProcessError: It cannot be run there.
    """
    # A process of its own: two states of one package cannot be imported side by side.
    done = subprocess.run(  # noqa: S603 - this file, by this Python
        [sys.executable, __file__, "--judge"],
        input=json.dumps(rows),
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(folder / "src")},
    )
    verdicts, milliseconds = json.loads(done.stdout)
    return verdicts, milliseconds


def report(name: str, rows: list[dict[str, Any]], folder: Path) -> None:
    """Print precision and recall of each verdict of the audit in `folder`."""
    verdicts, milliseconds = judge_with(folder, rows)
    seen = Counter(zip((row["label"] for row in rows), verdicts, strict=True))
    total, right = seen.total(), sum(seen[verdict, verdict] for verdict in VERDICTS)
    print(f"\n{name}: {total} pairs, {milliseconds:.1f} ms a pair, accuracy {cell(right, total)}")
    print("| verdict | precision | recall |\n|---|---|---|")
    for verdict in VERDICTS:
        said = sum(seen[label, verdict] for label in VERDICTS)
        labelled = sum(seen[verdict, other] for other in VERDICTS)
        hits = seen[verdict, verdict]
        print(f"| {verdict} | {cell(hits, said)} | {cell(hits, labelled)} |")
    print(
        "label -> verdict: " + ", ".join(f"{label} -> {verdict}: {n}" for (label, verdict), n in sorted(seen.items()))
    )


def main() -> None:
    """Judge the wanted halves of both files, with the baseline first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("splits", nargs="*", metavar="HALF", help=f"{' or '.join(SPLITS)}; both by default")
    parser.add_argument("--baseline", type=Path, metavar="FOLDER", help="a checkout of another state of the project")
    parser.add_argument("--judge", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.judge:
        judge_pairs()
        return
    states = {"baseline": options.baseline, "now": Path(__file__).parent.parent}
    for split in options.splits or SPLITS:
        if split not in SPLITS:
            parser.error(f"{split}: not a half of the pairs; choose from {', '.join(SPLITS)}")
        for file in FILES:
            rows = read_pairs(file, split)
            for state, folder in states.items():
                if folder:
                    report(f"{file} {split}, {state}", rows, folder)


if __name__ == "__main__":
    main()
