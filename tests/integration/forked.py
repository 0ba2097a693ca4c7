"""Processes for programs of the tests, forked from one that has imported the package, which takes seconds."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        *("fusion_tool.api.run", "fusion_tool.api.stored_runs", "fusion_tool.models.openai_compatible"),
        *("genai_prices.data", "httpcore2", "langgraph.checkpoint.sqlite.aio", "openai.resources"),  # of a first run
    ]
)


def start(program: Callable[..., Any], *arguments: Any, **environment: str) -> BaseProcess:
    """A process that calls `program` in this one's environment, as it is now, and in what is given of it."""
    process = _CONTEXT.Process(target=_call, args=(program, {**os.environ, **environment}, arguments), daemon=True)
    process.start()
    return process


def _call(program: Callable[..., Any], environment: dict[str, str], arguments: tuple[Any, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    program(*arguments)
