"""The embedded model: llama.cpp's server inside this process (xllamacpp), over loopback, without key or network.

It exists so that everything runs on a fresh machine. A model of 135 million parameters shows the machinery,
never the quality.
"""

import asyncio
import os
import threading
from typing import Any

from langchain_core.language_models import ModelProfile

from fusion_tool.errors import ConfigError
from fusion_tool.models.install import MODELS, is_installed, weights_path

_WINDOW = 2048
_SLOTS = 1
"""Requests served at once; each has a window of its own."""

PROFILE = ModelProfile(max_input_tokens=_WINDOW, tool_calling=False, structured_output=True)

_lock = threading.Lock()
_servers: dict[str, Any] = {}


def check_installed(name: str, field: str = "model") -> None:
    """Fail with the cure where the model cannot run.

    Raises:
        ConfigError: Unknown model, the `local` extra is missing, or the weights are.
    """
    import importlib.util

    if name not in MODELS:
        raise ConfigError(f"no local model '{name}'; there is {', '.join(MODELS)}", field=field)
    if importlib.util.find_spec("xllamacpp") is None:
        raise ConfigError("the local model needs an extra: pip install 'fusion-tool[local]'", field=field)
    if not is_installed(name):
        raise ConfigError(f"'{name}' is not installed: run fusion-tool model install", field=field)


async def serve(name: str) -> str:
    """The OpenAI-compatible address of the model's server, which starts on first use and ends with the process.

    Raises:
        ConfigError: It is not installed.
    """
    check_installed(name)
    return await asyncio.to_thread(_start_once, name)


def _start_once(name: str) -> str:
    with _lock:
        if name not in _servers:
            _servers[name] = _start(str(weights_path(name)))
        return f"{_servers[name].listening_address}/v1"


def _start(weights: str) -> Any:
    import xllamacpp

    threads = max(1, (os.cpu_count() or 2) - 1)  # one is left for the run itself
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.n_parallel, params.n_ctx = _SLOTS, _SLOTS * _WINDOW
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.verbosity = -1
    return xllamacpp.Server(params)
