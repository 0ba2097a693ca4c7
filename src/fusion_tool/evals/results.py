"""The results folder (`Results`) and its manifest.

`answers.jsonl`, `verdicts.jsonl` and `panels.jsonl`, the panels' bills, are only ever appended to. `panels.sqlite` has
the panels that arms share, and the runs that are under way; `lock` keeps a second process out.
"""

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fusion_tool.config.installation import version
from fusion_tool.config.schema import Panelist
from fusion_tool.config.serialization import dump_config
from fusion_tool.config.words import complaint
from fusion_tool.errors import ConfigError
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.evals.rows import AnswerRow, PanelRow, VerdictRow
from fusion_tool.evals.storage import Journal, write_atomically
from fusion_tool.evals.tasks import Task, TaskSet

FORMAT = 1


class ArmRecord(BaseModel):
    """An arm as a folder stores it.

    Args:
        kind: The arm's kind.
        config: Its configuration as JSON; `None` for recorded answers.
        recorded: SHA-256 of its recording, as hex digits; `None` where it has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    config: dict[str, Any] | None
    recorded: str | None = None


class Manifest(BaseModel):
    """The description of a results folder.

    Args:
        format: Version of the folder's format.
        version: Version of the package that made it.
        tasks: The task set's name.
        fingerprint: The task set's fingerprint.
        arms: The arms by name.
        judge: The model whose verdicts count, as JSON; `None` before the first grading.
        passes: Number of verdicts on each criterion.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
    version: str = Field(default_factory=version)
    tasks: str
    fingerprint: str
    arms: dict[str, ArmRecord] = {}
    judge: dict[str, Any] | None = None
    passes: int = 1

    @property
    def judge_model(self) -> Panelist | None:
        """The judge as a panelist; `None` before the first grading."""
        return Panelist(**self.judge) if self.judge else None


def arm_record(arm: Arm) -> ArmRecord:
    """Return `arm` as a folder stores it."""
    rows = json.dumps({name: row.model_dump() for name, row in sorted(arm.recorded.items())}, sort_keys=True)
    return ArmRecord(
        kind=arm.kind,
        config=dump_config(arm.config) if arm.config else None,
        recorded=hashlib.sha256(rows.encode()).hexdigest() if arm.recorded else None,
    )


class Results:
    """One folder of results.

    Args:
        folder: The path of a folder with a manifest.

    Raises:
        ConfigError: It holds no results, or those of another version of the package.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = _read(folder / "manifest.json", Manifest)
        self.tasks = _read(folder / "tasks.json", TaskSet)
        if self.manifest.format != FORMAT:
            raise ConfigError(f"{folder} holds results of another version of fusion-tool; use another folder")
        self._answers, self._verdicts = Journal(folder / "answers.jsonl"), Journal(folder / "verdicts.jsonl")
        self._panels = Journal(folder / "panels.jsonl")
        self.paid = [row for line in self._answers.lines() if (row := _row(line, AnswerRow))]
        """All answers' rows in the order in which they were written, replaced ones included: each was paid for."""
        self.verdicts = [row for line in self._verdicts.lines() if (row := _row(line, VerdictRow))]
        """All verdicts' rows, likewise."""
        self.panels = [row for line in self._panels.lines() if (row := _row(line, PanelRow))]
        """All panels' rows, likewise."""

    @classmethod
    def begin(cls, folder: Path, tasks: TaskSet, arms: list[Arm]) -> "Results":
        """Open the folder for `arms` on `tasks`, and make it where there is none.

        Raises:
            ConfigError: It holds the results of another task set, or of another arm of the same name.
            FusionError: It cannot be written.
        """
        # The manifest last: its presence makes the folder one of results, and a kill in between leaves none.
        if not (folder / "manifest.json").exists():
            write_atomically(folder / "tasks.json", tasks.model_dump_json(indent=1))
            manifest = Manifest(tasks=tasks.name, fingerprint=tasks.fingerprint)
            write_atomically(folder / "manifest.json", manifest.model_dump_json(indent=1))
        results = cls.reopen(folder)
        if results.manifest.fingerprint != tasks.fingerprint:
            raise ConfigError(
                f"{folder} holds results of another task set ('{results.manifest.tasks}'), with which these cannot be "
                "compared; give another folder",
                field="out",
            )
        results.add_arms(arms)
        return results

    @classmethod
    def reopen(cls, folder: Path) -> "Results":
        """Open a folder for writing; rows that a killed process left half-written are cut off."""
        results = cls(folder)
        for journal in (results._answers, results._verdicts, results._panels):
            journal.mend()
        return results

    def add_arms(self, arms: list[Arm]) -> None:
        """Add `arms` to the manifest.

        Raises:
            ConfigError: The folder has another arm of the same name.
        """
        records = {arm.name: arm_record(arm) for arm in arms}
        # One name stands for one configuration, or the arm's answers would be of two different things.
        for name, record in records.items():
            if name in self.manifest.arms and self.manifest.arms[name] != record:
                raise ConfigError(
                    f"'{name}' is in {self.folder} with another configuration; give this one another name: NAME=...",
                    field="arm",
                )
        self.update_manifest(arms=self.manifest.arms | records)

    def update_manifest(self, **changes: Any) -> None:
        """Change fields of the manifest."""
        self.manifest = self.manifest.model_copy(update=changes)
        write_atomically(self.folder / "manifest.json", self.manifest.model_dump_json(indent=1))

    def add_answer(self, row: AnswerRow) -> None:
        """Store an answer."""
        self._answers.append(row)  # on disk first: memory must not hold a row that could not be stored
        self.paid.append(row)

    def add_verdict(self, row: VerdictRow) -> None:
        """Store a verdict."""
        self._verdicts.append(row)
        self.verdicts.append(row)

    def add_panel(self, row: PanelRow) -> bool:
        """Store a panel's bill, once; return whether it was new."""
        # By the run, not by the panel's key: a panel that failed and was asked again was paid for twice.
        if any(row.run_id == other.run_id for other in self.panels):
            return False
        self._panels.append(row)
        self.panels.append(row)
        return True

    @property
    def answer_rows(self) -> dict[tuple[str, str], AnswerRow]:
        """The latest row by arm and task."""
        return {(row.arm, row.task): row for row in self.paid}

    def arm_rows(self, arm: str) -> list[AnswerRow]:
        """Return the latest rows of the arm of that name, one for each task."""
        return [row for (name, _), row in self.answer_rows.items() if name == arm]

    def known_verdicts(self) -> dict[tuple[str, str], list[Verdict]]:
        """Return the present judge's verdicts by task and digest; a later verdict replaces an earlier one."""
        judge = self.manifest.judge_model
        latest: dict[tuple[str, str], dict[tuple[str, int], Verdict]] = defaultdict(dict)
        # Other judges' verdicts stay in the file: to go back to an earlier judge costs nothing.
        for row in self.verdicts:
            if judge and row.judge == judge.model_name and row.verdict.repeat <= self.manifest.passes:
                latest[row.task, row.text][row.verdict.criterion, row.verdict.repeat] = row.verdict
        return {key: list(verdicts.values()) for key, verdicts in latest.items()}

    def task(self, name: str) -> Task:
        """Return the task of that id."""
        task: Task = self.tasks.only([name]).tasks[0]
        return task


def _read(path: Path, kind: Any) -> Any:
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path.parent} holds no results; 'fusion-tool eval run' makes some") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        place, words = complaint(error.errors())
        raise ConfigError(f"{path} is not what this version of fusion-tool writes ({place}: {words})") from None


def _row(line: str, kind: Any) -> Any:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        return None  # of another version, or damaged: the task is answered again
