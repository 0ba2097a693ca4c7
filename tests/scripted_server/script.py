"""The script: which reply a request gets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.scripted_server.faults import Feature, unsupported
from tests.scripted_server.insistence import Insistence
from tests.scripted_server.queue import Queue
from tests.scripted_server.reply import Answer, Reply, Scripted
from tests.scripted_server.request import Request


@dataclass(frozen=True, slots=True)
class Installed:
    """One model of a running Ollama, as `/api/tags` and `/api/show` describe it."""

    name: str
    family: str = "llama"
    parameter_size: str = "3.2B"
    size: int = 2_000_000_000
    capabilities: tuple[str, ...] = ("completion", "tools")


@dataclass
class Script:
    """Rules first, in the order they were added, then the model's own queue, then the default.

    A reply is a string, a value of `reply.py`, or a function of the request that returns one of them.
    """

    models: list[str | dict[str, Any]] = field(default_factory=list)
    installed: list[Installed] = field(default_factory=list)
    insistence: Insistence = field(default_factory=Insistence)
    _rules: list[tuple[Callable[[Request], bool], Queue[Scripted]]] = field(default_factory=list)
    _queues: dict[str, Queue[Scripted]] = field(default_factory=dict)
    _default: Queue[Scripted] = field(default_factory=lambda: Queue((_own_name,)))

    def reply(self, model: str, *replies: Scripted) -> None:
        """Let `model` answer its calls with `replies` in order, the last one over and over."""
        self._queues[model] = Queue(replies)
        if model not in self.models:
            self.models.append(model)

    def on(self, matches: Callable[[Request], bool], *replies: Scripted) -> None:
        """Answer the requests that `matches` accepts, whatever their model."""
        self._rules.append((matches, Queue(replies)))

    def refuse(self, model: str, *features: Feature) -> None:
        """Let `model` turn down every request that uses one of `features`."""
        for feature in features:
            self.on(partial(_uses, model, feature), unsupported(feature))

    def insist(self, *models: str) -> None:
        """Let `models` turn down every request whose tool calls lack what they gave with them, or have another's."""
        self.insistence.models.update(models)

    def otherwise(self, *replies: Scripted) -> None:
        """Answer every model that has no replies of its own."""
        self._default = Queue(replies)

    def choose(self, request: Request) -> Answer:
        """The answer to `request`; takes it from its queue."""
        chosen = self._queue(request).take()
        while callable(chosen):
            chosen = chosen(request)
        return Reply(chosen) if isinstance(chosen, str) else chosen

    def _queue(self, request: Request) -> Queue[Scripted]:
        for matches, queue in self._rules:
            if matches(request):
                return queue
        return self._queues.get(request.model, self._default)


def _uses(model: str, feature: Feature, request: Request) -> bool:
    return request.model == model and bool(request.body.get(feature))


def _own_name(request: Request) -> str:
    return f"The scripted answer of {request.model}."
