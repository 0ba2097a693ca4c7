"""What to know of a folder's judge before believing its scores."""

from collections.abc import Iterator

from fusion_tool.config import Panelist
from fusion_tool.evals.grading import judge_warnings
from fusion_tool.evals.manifest import ArmRecord
from fusion_tool.evals.results import Results


def judge_cautions(results: Results) -> list[str]:
    """Whether the judge has a stake in the answers, or there is none yet."""
    judge = results.manifest.judge_model
    if judge is None:
        ungraded = any(task.rubric for task in results.tasks.tasks)
        return ["nothing is graded yet: fusion-tool eval grade"] if ungraded else []
    models = {one.model_name: one for record in results.manifest.arms.values() for one in _writers(record)}
    return judge_warnings(judge, models.values())


def _writers(record: ArmRecord) -> Iterator[Panelist]:
    """Everyone who may write a word of an arm's answers; of a recording nobody knows."""
    config = record.config
    if config is None:
        return
    seats = [] if record.kind == "replay" else config["panel"]
    later = [] if config["strategy"] == "solo" else [config["synthesizer"] or config["judge"] or config["panel"][0]]
    for role in (*seats, *later):
        if ":" in role["model"]:  # else it was an object, whose vendor its name does not tell
            yield Panelist(**role)
