"""What every object of one response says about itself."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Stamp:
    """The response's id, its time, and the model that was asked for."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def on(self, kind: str, choices: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        """An object of `kind` with these choices."""
        own = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return {**own, "choices": list(choices), **more}
