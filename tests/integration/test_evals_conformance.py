"""Scoring and reference grading against recorded evaluations; `FUSION_RECORDED_DATA` names their folder."""

import gzip
import json
import os
from collections import Counter
from pathlib import Path

import pytest

from fusion_tool.evals.datasets import read_task_file
from fusion_tool.evals.graders.reference import match_reference
from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.evals.scoring import score_arm, score_rubric
from fusion_tool.evals.tasks import Task

RECORDED = Path(os.environ.get("FUSION_RECORDED_DATA") or Path(__file__).parents[3] / "shared" / "data")
VERDICTS = sorted(RECORDED.glob("draco-verdicts-*.jsonl.gz"))


def recorded(name):
    path = RECORDED / name
    if not path.is_file():
        pytest.skip(f"no recorded data: {path} is not there")
    return gzip.open(path, "rt", encoding="utf-8")


@pytest.fixture(scope="module")
def draco(tmp_path_factory):
    """The recorded tasks, as DRACO publishes them."""
    path = tmp_path_factory.mktemp("draco") / "test.jsonl"
    with recorded("draco-tasks.json.gz") as file:
        rows = json.load(file)["tasks"]
    shaped = [
        {**{key: row[key] for key in ("id", "domain", "problem")}, "answer": json.dumps(row["rubric"])} for row in rows
    ]
    path.write_text("\n".join(map(json.dumps, shaped)), "utf-8")
    return {task.id: task for task in read_task_file(path).tasks}


def test_dracos_own_rows_are_read_whole(draco):
    criteria = [criterion for task in draco.values() for criterion in task.rubric]
    assert (len(draco), len(criteria)) == (100, 3934)
    assert (min(c.weight for c in criteria), max(c.weight for c in criteria)) == (-500, 20)
    assert len({c.axis for c in criteria}) == 4


@pytest.mark.skipif(not VERDICTS, reason=f"no recorded verdicts in {RECORDED}")
@pytest.mark.parametrize("path", VERDICTS, ids=lambda path: path.name.removesuffix(".jsonl.gz"))
def test_recorded_verdicts_give_the_recorded_score(draco, path):
    with recorded(path.name) as file:
        rows = [row for row in map(json.loads, file) if row.get("judges")]
    assert rows
    scores = []
    for row in rows:
        verdicts = [
            Verdict(criterion=one["id"], repeat=repeat, met=one["met"])
            for repeat, judge in enumerate(row["judges"], 1)
            for one in judge["criteria"]
        ]
        scores.append(score_rubric(draco[row["task_id"]], verdicts, passes=len(row["judges"])))
        assert scores[-1].score * 100 == pytest.approx(row["score"], abs=1e-9), row["task_id"]
        assert scores[-1].coverage == 1.0
    arm = score_arm(scores)
    assert arm.score.value * 100 == pytest.approx(sum(row["score"] for row in rows) / len(rows))


def test_reference_grading_agrees_with_recorded_correctness():
    """At least 99 in 100; nearly all of the rest are the recording's own slips, told in docs/evaluation.md."""
    alike, total = Counter(), Counter()
    with recorded("zeroeval-dev.jsonl.gz") as file:
        for row in map(json.loads, file):
            task = Task(id=row["id"], question=row["question"], reference=row["gold"])
            for said in row["models"].values():
                total[row["task"]] += 1
                alike[row["task"]] += match_reference(task, said["output"]).right == said["correct"]
    assert sum(alike.values()) / sum(total.values()) >= 0.99
    assert {name: alike[name] / total[name] >= 0.98 for name in total} == dict.fromkeys(total, True)
