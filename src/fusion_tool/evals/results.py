"""The results folder and its manifest.

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
from fusion_tool.errors import ConfigError
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.evals.rows import AnswerRow, PanelRow, VerdictRow
from fusion_tool.evals.storage import Journal, write_atomically
from fusion_tool.evals.tasks import Task, TaskSet

FORMAT = 1


class ArmRecord(BaseModel):
    """An arm as a folder knows it; `recorded` is the digest of its recording."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    config: dict[str, Any] | None
    recorded: str | None = None


class Manifest(BaseModel):
    """What a folder's results are of.

    Args:
        format: Of the folder.
        version: Of the package that made it.
        tasks: The task set's name.
        fingerprint: The task set's.
        arms: By name.
        judge: Whose verdicts count; `None` before the first grading.
        passes: How many verdicts a criterion gets.
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
        """The judge, ready to be asked."""
        return Panelist(**self.judge) if self.judge else None


def arm_record(arm: Arm) -> ArmRecord:
    """How a folder remembers `arm`."""
    rows = json.dumps({name: row.model_dump() for name, row in sorted(arm.recorded.items())}, sort_keys=True)
    return ArmRecord(
        kind=arm.kind,
        config=dump_config(arm.config) if arm.config else None,
        recorded=hashlib.sha256(rows.encode()).hexdigest() if arm.recorded else None,
    )


class Results:
    """One folder of results.

    Args:
        folder: It; it must hold a manifest.

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
        """Every answer's row there ever was, in order."""
        self.verdicts = [row for line in self._verdicts.lines() if (row := _row(line, VerdictRow))]
        """Every verdict's row, likewise."""
        self.panels = [row for line in self._panels.lines() if (row := _row(line, PanelRow))]
        """Every panel's row, likewise."""

    @classmethod
    def begin(cls, folder: Path, tasks: TaskSet, arms: list[Arm]) -> "Results":
        """The folder for `arms` on `tasks`: made where there is none, else gone on with.

        Raises:
            ConfigError: It holds the results of another task set, or of another arm of the same name.
            FusionError: It cannot be written.
        """
        if not (folder / "manifest.json").exists():
            write_atomically(folder / "tasks.json", tasks.model_dump_json(indent=1))
            manifest = Manifest(tasks=tasks.name, fingerprint=tasks.fingerprint)
            write_atomically(folder / "manifest.json", manifest.model_dump_json(indent=1))
        known = cls.reopen(folder)
        if known.manifest.fingerprint != tasks.fingerprint:
            raise ConfigError(
                f"{folder} holds results of another task set ('{known.manifest.tasks}'), with which these cannot be "
                "compared; give another folder",
                field="out",
            )
        known.add(arms)
        return known

    @classmethod
    def reopen(cls, folder: Path) -> "Results":
        """A folder that is to be written to: rows that a killed process left half-written are cut off."""
        known = cls(folder)
        for journal in (known._answers, known._verdicts, known._panels):
            journal.mend()
        return known

    def add(self, arms: list[Arm]) -> None:
        """Note what `arms` are.

        Raises:
            ConfigError: One of the same name is another one here.
        """
        records = {arm.name: arm_record(arm) for arm in arms}
        for name, record in records.items():
            if name in self.manifest.arms and self.manifest.arms[name] != record:
                raise ConfigError(
                    f"'{name}' is in {self.folder} with another configuration; give this one another name: NAME=...",
                    field="arm",
                )
        self.update_manifest(arms=self.manifest.arms | records)

    def update_manifest(self, **changes: Any) -> None:
        """Change the manifest."""
        self.manifest = self.manifest.model_copy(update=changes)
        write_atomically(self.folder / "manifest.json", self.manifest.model_dump_json(indent=1))

    def add_answer(self, row: AnswerRow) -> None:
        """Keep an answer."""
        self._answers.append(row)
        self.paid.append(row)

    def add_verdict(self, row: VerdictRow) -> None:
        """Keep a verdict."""
        self._verdicts.append(row)
        self.verdicts.append(row)

    def add_panel(self, row: PanelRow) -> bool:
        """Keep a panel's bill, once; whether it was new."""
        if any(row.run_id == known.run_id for known in self.panels):
            return False
        self._panels.append(row)
        self.panels.append(row)
        return True

    @property
    def answer_rows(self) -> dict[tuple[str, str], AnswerRow]:
        """The latest row by arm and task."""
        return {(row.arm, row.task): row for row in self.paid}

    def known_verdicts(self) -> dict[tuple[str, str], list[Verdict]]:
        """The present judge's verdicts by task and digest; a later one replaces an earlier one."""
        judge = self.manifest.judge_model
        latest: dict[tuple[str, str], dict[tuple[str, int], Verdict]] = defaultdict(dict)
        for row in self.verdicts:
            if judge and row.judge == judge.model_name and row.verdict.repeat <= self.manifest.passes:
                latest[row.task, row.text][row.verdict.criterion, row.verdict.repeat] = row.verdict
        return {key: list(found.values()) for key, found in latest.items()}

    def task(self, name: str) -> Task:
        """The task of that id."""
        found: Task = self.tasks.only([name]).tasks[0]
        return found


def _read(path: Path, kind: Any) -> Any:
    try:
        return kind.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path.parent} holds no results; 'fusion-tool eval run' makes some") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        what = error.errors(include_url=False)[0]
        raise ConfigError(f"{path} is not what this version of fusion-tool writes: {what['msg']}") from None


def _row(line: str, kind: Any) -> Any:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        return None  # of another version, or damaged: as if it were not there
