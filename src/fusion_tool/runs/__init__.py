"""Runs that outlive their process: kept in one SQLite file, resumed with only the missing work, listed, deleted."""

from fusion_tool.runs.file import default_path
from fusion_tool.runs.kept import KEEP_DAYS, KeptRun, delete_runs, kept_runs
from fusion_tool.runs.work import Work, new_work, plain_work, resumed_work

__all__ = [
    "KEEP_DAYS",
    "KeptRun",
    "Work",
    "default_path",
    "delete_runs",
    "kept_runs",
    "new_work",
    "plain_work",
    "resumed_work",
]
