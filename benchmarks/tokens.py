"""What judge and synthesizer read, and how much of it a prompt cache serves: recorded answers through the real graph.

    python benchmarks/tokens.py [PROBLEMS] [--seats N] [--baseline FOLDER]

The panel are recorded models (`tests/integration/recorded.py` says where the recordings are from); one scripted model
judges and writes. Tokens are a quarter of the bytes. Whatever the second prompt has in common with the first, from its
first byte on, a cache may serve; dollars count that only where it has 1,024 tokens, the least that vendors cache.
`FOLDER` is a checkout of another state of the project, measured over the same answers.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]  # the recordings belong to the tests

MODELS = (
    "anthropic:claude-opus-4-8",
    "openai:gpt-5.5",
    "deepseek:deepseek-chat",
    "google_genai:gemini-3-flash-preview",
)
BYTES_A_TOKEN, LEAST_CACHED, TARGET = 4, 1024, 0.7


class Prompts(NamedTuple):
    """The tokens of a run's two prompts, and of what the second has in common with the first."""

    judge: int
    writer: int
    shared: int


def tokens(text: str) -> int:
    return len(text.encode(errors="replace")) // BYTES_A_TOKEN


def common(one: str, other: str) -> str:
    """What both texts begin with."""
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


async def measure(problems: int, seats: int) -> list[Prompts]:
    """The prompts of `problems` runs, of `seats` recorded answers each."""
    from provider import ANSWER, COMPARISON
    from tests.integration import recorded

    from fusion_tool import FusionConfig, Panelist, afuse
    from fusion_tool.testing import ScriptedChat

    rows = []
    for problem in recorded.problems(problems):
        said = list(problem.answers.values())[:seats]
        panel = [
            Panelist(model=ScriptedChat(model_name=f"seat-{n}", replies=[one.output])) for n, one in enumerate(said)
        ]
        both = ScriptedChat(model_name="both", replies=[json.dumps(COMPARISON), ANSWER])
        config = FusionConfig(panel=tuple(panel), judge=Panelist(model=both), search=None, bash="off", health=False)
        await afuse(problem.question, config)
        first, second = ("".join(str(message.text) for message in prompt) for prompt in both.prompts)
        rows.append(Prompts(tokens(first), tokens(second), tokens(common(first, second))))
    return rows


def usd(model: str, prompts: Prompts, *, marks: bool) -> float:
    """Dollars for both prompts; with `marks` a vendor that wants to be told is, and charges for what it writes."""
    from fusion_tool.budget.pricing import cost_of

    is_told = marks or not model.startswith("anthropic:")
    shared = prompts.shared if is_told and prompts.shared >= LEAST_CACHED else 0
    judge, _ = cost_of(model, input_tokens=prompts.judge, output_tokens=0, written_tokens=shared)
    writer, _ = cost_of(model, input_tokens=prompts.writer, output_tokens=0, cached_tokens=shared)
    return (judge or 0.0) + (writer or 0.0)


def baseline(folder: Path, problems: int, seats: int) -> list[Prompts]:
    """What `measure` finds in another checkout."""
    command = [sys.executable, __file__, str(problems), "--seats", str(seats), "--rows"]
    done = subprocess.run(  # noqa: S603 - this file
        command, env={"PYTHONPATH": str(folder / "src")}, capture_output=True, text=True, check=True
    )
    return [Prompts(*row) for row in json.loads(done.stdout)]


def report(name: str, rows: list[Prompts], plain: int) -> None:
    sent, shared = sum(row.judge + row.writer for row in rows), sum(row.shared for row in rows)
    share = shared / sum(row.writer for row in rows)
    print(f"| {name} | {sent:,} | {share:.0%} | {sent - shared:,} | {(sent - shared) / plain:.2f} |", flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("problems", nargs="?", type=int, default=100)
    options.add_argument("--seats", type=int, default=3)
    options.add_argument("--baseline", type=Path)
    options.add_argument("--rows", action="store_true")
    asked = options.parse_args()
    rows = asyncio.run(measure(asked.problems, asked.seats))
    if asked.rows:
        print(json.dumps(rows))
        sys.exit()
    before = baseline(asked.baseline, asked.problems, asked.seats) if asked.baseline else rows
    plain = sum(row.judge + row.writer for row in before)
    print("| | tokens of both prompts | of the second, common with the first | not common | of the plain |")
    print("|---|---|---|---|---|")
    if asked.baseline:
        report("before", before, plain)
    report("now", rows, plain)
    print(f"| target | | | | {TARGET} |\n\n| dollars, of the plain | |\n|---|---|")
    for model in MODELS:
        whole = sum(usd(model, row._replace(shared=0), marks=False) for row in before)
        print(f"| {model} | {sum(usd(model, row, marks=True) for row in rows) / whole:.2f} |")
