"""How well the citation audit judges: precision and recall of each verdict on the labelled pairs.

python benchmarks/grounding.py [dev] [held_out]
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from math import sqrt
from pathlib import Path
from time import perf_counter
from typing import Any

from fusion_tool.grounding.support import judge_support

PAIRS = Path(__file__).parent.parent / "tests" / "data" / "support_pairs.jsonl"
VERDICTS = ("supported", "weak", "mismatch")
SPLITS = ("dev", "held_out")
Z = 1.959963984540054


def pairs(split: str) -> Iterator[dict[str, Any]]:
    """The labelled pairs of one half."""
    with PAIRS.open(encoding="utf-8") as lines:
        yield from (row for row in map(json.loads, lines) if row["split"] == split)


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a proportion.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22.
    """
    if not total:
        return 0.0, 1.0
    share, square = hits / total, Z * Z
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = Z / (1 + square / total) * sqrt(share * (1 - share) / total + square / (4 * total * total))
    return centre - half, centre + half


def cell(hits: int, total: int) -> str:
    low, high = wilson(hits, total)
    share = f"{hits / total:.2f}" if total else "-"
    return f"{share} ({low:.2f}-{high:.2f}), {hits}/{total}"


def report(split: str) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    started = perf_counter()
    for row in pairs(split):
        seen[row["label"], judge_support(row["sentence"], row["source"])] += 1
    total, right = seen.total(), sum(seen[verdict, verdict] for verdict in VERDICTS)
    print(f"\n{split}: {total} pairs, {1000 * (perf_counter() - started) / max(total, 1):.1f} ms a pair")
    print("| verdict | precision | recall |\n|---|---|---|")
    for verdict in VERDICTS:
        said = sum(seen[label, verdict] for label in VERDICTS)
        labelled = sum(seen[verdict, other] for other in VERDICTS)
        hits = seen[verdict, verdict]
        print(f"| {verdict} | {cell(hits, said)} | {cell(hits, labelled)} |")
    print(f"\naccuracy {cell(right, total)}")
    print("label -> verdict: " + ", ".join(f"{one} -> {two}: {n}" for (one, two), n in sorted(seen.items())))


if __name__ == "__main__":
    for wanted in sys.argv[1:] or SPLITS:
        if wanted not in SPLITS:
            raise SystemExit(f"{wanted}: not a half of the pairs; choose from {', '.join(SPLITS)}")
        report(wanted)
