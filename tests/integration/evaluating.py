"""The words of the evaluation's end-to-end tests: tasks, a provider that answers and grades them, a process to kill."""

import json
import os
import re
import subprocess
import sys
from collections import Counter

import typer

from fusion_tool.cli.commands.evals import evals
from fusion_tool.cli.main import CommandGroup
from tests.integration.panel import ANALYSIS
from tests.scripted_server import Reply, Request, ScriptedServer

GRADER, OTHER_GRADER = "g/grader", "h/other"
COST = 0.001
APART = ("--no-search", "--bash", "off")
"""Nothing but the scripted provider is reached."""

app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)
app.add_typer(evals)


@app.callback()
def _main() -> None:
    """As `fusion-tool` has it."""


def tasks(path, count=20):
    """`count` tasks, every second one with a reference, the others with a rubric; in two domains."""
    rows = []
    for n in range(count):
        row = {"id": f"t{n}", "domain": "history" if n % 4 < 2 else "science", "question": f"Question number {n}?"}
        row |= {"reference": str(n)} if n % 2 else {"rubric": rubric(n)}
        rows.append(row)
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def rubric(n):
    return [
        {"id": "number", "requirement": f"States that the number in question is {n}.", "weight": 10, "axis": "facts"},
        {"id": "lost", "requirement": "Says that it does not know the number.", "weight": -5, "axis": "facts"},
        {"id": "panel", "requirement": "Is written by somebody who has compared several answers.", "weight": 5},
    ]


def panel_file(path):
    path.write_text('panel = ["openrouter:v/a", "openrouter:v/b"]\njudge = "openrouter:v/judge"\n', "utf-8")
    return path


def recording(path, count=20):
    rows = [{"id": f"t{n}", "answer": f"The answer: {n}.", "cost": 0.01, "seconds": 3.0} for n in range(count)]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


def script(server: ScriptedServer) -> None:
    """Models that answer, `v/a` wrongly where the number divides by 3; who synthesizes is right; a judge who reads."""
    for model in ("v/a", "v/b", "v/judge"):
        server.reply(model, _answer)
    for model in (GRADER, OTHER_GRADER):
        server.reply(model, _grade)


def number(request: Request) -> int:
    return int(re.search(r"Question number (\d+)\?", request.prompt)[1])


def asked(server: ScriptedServer) -> "Counter[tuple[str, int, str]]":
    """Completions by model, task and what they are for."""
    return Counter((one.model, number(one), _stage(one)) for one in server.requests if one.model)


def _stage(request: Request) -> str:
    if request.model in (GRADER, OTHER_GRADER):
        return re.search(r"(States that|Says that|Is written)", request.prompt.rpartition("tatement")[2])[1]
    roles = {"You compare the answers": "compare", "You write the final answer": "write"}
    return next((stage for words, stage in roles.items() if words in request.prompt), "seat")


def _answer(request: Request) -> Reply:
    n, stage = number(request), _stage(request)
    if stage == "compare":
        return Reply(json.dumps(ANALYSIS), cost=COST)
    if stage == "write":
        return Reply(f"Having compared all of them, the answer: {n}.", cost=COST)
    said = n if n % 3 or request.model != "v/a" else n + 1
    return Reply(f"The answer: {said}.", cost=COST)


def _grade(request: Request) -> Reply:
    n, what = number(request), _stage(request)
    met = {
        "States that": f"answer: {n}." in request.prompt,
        "Says that": False,
        "Is written": "Having compared" in request.prompt,
    }[what]
    return Reply(json.dumps({"explanation": "As it stands there.", "verdict": "MET" if met else "UNMET"}), cost=COST)


def process(*arguments: str) -> "subprocess.Popen[str]":
    """`fusion-tool eval` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.evaluating", "eval", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


if __name__ == "__main__":
    app(prog_name="fusion-tool")
