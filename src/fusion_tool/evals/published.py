"""Task sets that are published elsewhere: where they are, and which bytes are meant."""

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from fusion_tool.evals.tasks import Exclude

_HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Published:
    """Where a task set is published, which bytes are meant, and what a panel must not read.

    Args:
        name: By which a user asks for it.
        repository: Of the Hugging Face Hub's datasets.
        file: In the repository.
        revision: The commit.
        sha256: The file's checksum, as hex digits.
        exclude: Hosts that publish its rubrics, and texts by which a copy elsewhere is known.
    """

    name: str
    repository: str
    file: str
    revision: str
    sha256: str
    exclude: Exclude

    @property
    def url(self) -> str:
        """Its address; `HF_ENDPOINT` names a mirror, as for the Hub's own clients."""
        hub = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
        return f"{hub}/datasets/{self.repository}/resolve/{self.revision}/{self.file}"

    @property
    def path(self) -> Path:
        """Where it lies once downloaded."""
        from platformdirs import user_cache_path

        return user_cache_path("fusion-tool") / "tasks" / f"{self.name}-{self.revision[:12]}.jsonl"


@cache
def published() -> dict[str, Published]:
    """The task sets that can be asked for by name."""
    data = tomllib.loads((files("fusion_tool.evals") / "published.toml").read_text("utf-8"))
    return {
        name: Published(name, **row | {"exclude": Exclude.model_validate(row["exclude"])}) for name, row in data.items()
    }
