"""LangSmith's client, content-free: `@traceable` functions send through it past all callback handlers.

LangChain's agents wrap their middleware in such functions, and a caller's own tools may be some; under a run that a
tracer follows they use that tracer's client.
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

from fusion_tool.tracing.events import named

_LEFT: dict[str, Any] = {
    "inputs": lambda _: {},
    "outputs": lambda _: {},
    "attachments": lambda _: None,
    "error": lambda text: text and re.split(r"\W", text, maxsplit=1)[0],
    "events": lambda events: [{key: one[key] for key in ("name", "time") if key in one} for one in events or ()],
    "serialized": named,
}
"""What is left of the fields of a run that hold content; an error keeps its name, with which its text begins."""


class ContentFreeClient:
    """A `langsmith.Client` that sends runs without what was said."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_run(self, name: str, inputs: Any, run_type: Any, **more: Any) -> None:
        """As the client's."""
        del inputs
        self._client.create_run(name, {}, run_type, **_cleaned(more))

    def update_run(self, run_id: Any, **more: Any) -> None:
        """As the client's."""
        self._client.update_run(run_id, **_cleaned(more))


class ClientOfTracer:
    """A tracer's `client`, content-free to whoever asks for it."""

    def __get__(self, tracer: Any, _owner: Any = None) -> Any:
        """The tracer's own client, behind one that holds back."""
        return self if tracer is None else ContentFreeClient(vars(tracer)["client"])

    def __set__(self, tracer: Any, client: Any) -> None:
        """Take a client, be it one of ours already."""
        vars(tracer)["client"] = (
            vars(client).get("_client", client) if isinstance(client, ContentFreeClient) else client
        )


def with_cost(on_llm_end: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """A tracer's `_on_llm_end` that writes the call's cost where the client leaves it, beside the count of tokens."""

    @wraps(on_llm_end)
    def told(self: Any, run: Any) -> None:
        said = [one["message"]["kwargs"] for batch in run.outputs["generations"] for one in batch if "message" in one]
        costs = [message.get("response_metadata", {}).get("cost_usd") for message in said]
        run.extra.setdefault("metadata", {})["cost_usd"] = costs[0] if costs else None
        on_llm_end(self, run)

    return told


def _cleaned(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: _LEFT[key](value) if key in _LEFT else value for key, value in fields.items()}
