"""Results folders by hand: rows as a run would have written them."""

from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.schema import FusionConfig
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow, VerdictRow, digest
from fusion_tool.evals.tasks import Task, TaskSet
from fusion_tool.graph.result import FusionResult
from tests.unit.evals.tasks import RUBRIC

JUDGE = {"model": "openrouter:g/judge"}
CALL = Call(stage="panelist", seat="a", model="openrouter:v/a", cost_usd=0.01, cost_source="provider")


def solo(name="solo", model="openrouter:v/a", **config):
    return Arm(name, "solo", FusionConfig(panel=(model,), strategy="solo", **config))


def panel(name="panel", *models, **config):
    return Arm(name, "panel", FusionConfig(panel=models or ("openrouter:v/a", "openrouter:v/b"), **config))


def references(count, **fields):
    """Tasks whose references are their own numbers."""
    return tuple(Task(id=f"t{n}", question=f"How much is {n} + 0?", reference=str(n), **fields) for n in range(count))


def folder(path, tasks, *arms):
    return Results.begin(path, TaskSet(name="set", tasks=tasks), list(arms))


def answer(results, arm, task, text, **fields):
    results.add_answer(AnswerRow(arm=arm, task=task, answer=text, **fields))


def verdicts(results, task, text, **met):
    """The judge's verdicts on `text`, by criterion id."""
    for criterion in RUBRIC:
        if criterion.id in met:
            verdict = Verdict(criterion=criterion.id, met=met[criterion.id])
            results.add_verdict(VerdictRow(task=task, text=digest(text), judge=JUDGE["model"], verdict=verdict))


def result(text, *seats, dropped=0, citations=(), sources=()):
    """A run's result with what each seat answered."""
    return FusionResult.model_validate(
        {
            "status": "ok",
            "answer": text,
            "citations": list(citations),
            "sources": list(sources),
            "analysis": None,
            "responses": [
                {
                    "seat": f"s{place}",
                    "model": "m",
                    "content": said,
                    "sources": [],
                    "tool_calls": 0,
                    "seconds": 1.0,
                    "wave": 1,
                    "audit": {},
                }
                for place, said in enumerate(seats)
            ],
            "failed_models": [],
            "degraded": [],
            "dropped": dropped,
            "plan": {
                "strategy": "panel",
                "seats": [f"s{n}" for n in range(len(seats))],
                "reason": "",
                "bash": "none: off",
            },
            "usage": Usage.of([CALL]).model_dump(),
            "timing": {"total_seconds": 2.0, "panel_seconds": 1.0, "judge_seconds": None, "synthesis_seconds": 1.0},
            "run_id": "r",
            "question": "Q?",
            "created_at": "2026-01-01",
            "version": "0",
        }
    )
