"""Ollama: its address, its installed models, a panel made of them, and its files where it does not run.

Protocol: Ollama's API reference, "List local models" (`GET /api/tags`). Its folder: `manifests/HOST/OWNER/NAME/TAG` is
JSON with the layers of a model, of which one is a GGUF file in `blobs/`; read in Ollama 0.12.
"""

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from fusion_tool.config.network import LOCAL_MOUNTS, check_network
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError

_DEFAULT_ADDRESS = "http://127.0.0.1:11434"
_PANEL_SIZE = 3
_NO_CHAT = re.compile(r"embed|bge-|minilm|rerank|guard", re.IGNORECASE)
_FAMILY = re.compile(r"[a-z]+")
_CLOUD = re.compile(r"[:-]cloud$", re.IGNORECASE)
"""How Ollama names the models that it passes on to its own servers: `gpt-oss:120b-cloud`, `kimi-k2.5:cloud`."""


def endpoint() -> str:
    """Return Ollama's address, from `OLLAMA_HOST` as Ollama itself reads it: scheme and port may be left out.

    Raises:
        ConfigError: `OLLAMA_HOST` is no address.
    """
    host = os.environ.get("OLLAMA_HOST", "").strip()
    if not host:
        return _DEFAULT_ADDRESS
    try:
        parts = urlsplit(host if "://" in host else f"http://{host}")
        port = parts.port
    except ValueError:
        raise _no_address(host) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _no_address(host)
    # With a scheme Ollama takes the scheme's own port, without one its own.
    usual = {"http": 80, "https": 443} if "://" in host else {}
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    name = "127.0.0.1" if name == "0.0.0.0" else name  # noqa: S104 - where it listens is not where to call it
    return f"{parts.scheme}://{name}:{port or usual.get(parts.scheme, 11434)}{parts.path.rstrip('/')}"


def _no_address(host: str) -> ConfigError:
    shown = host.rpartition("@")[2]  # before it may be a password
    return ConfigError(f"OLLAMA_HOST is '{shown}', which is no address; one is {_DEFAULT_ADDRESS}", field="model")


def on_ollama_cloud(model: str) -> bool:
    """Tell whether Ollama runs the model on its own servers, by the model's name."""
    return bool(_CLOUD.search(model))


def installed_models() -> list[str]:
    """Return the chat models that a running Ollama offers, largest first.

    Raises:
        ConfigError: No Ollama answers there, or none can be asked (`check_network`).
    """
    check_network()
    try:
        with httpx.Client(timeout=3.0, mounts=LOCAL_MOUNTS) as client:
            answer = client.get(f"{endpoint()}/api/tags").raise_for_status().json()
        # By the size of their files, for want of better: Ollama says nothing of how good a model is.
        rows = sorted(answer["models"], key=lambda row: -int(row.get("size") or 0))
        return [str(row["name"]) for row in rows if not _NO_CHAT.search(str(row["name"]))]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
        raise ConfigError(f"no Ollama answers at {endpoint()}: start it (ollama serve)", field="preset") from None


def installed_panel() -> FusionConfig:
    """Make a panel of up to three installed models: of different families first, the largest of each.

    Raises:
        ConfigError: No Ollama answers, or it has no chat model.
    """
    models = installed_models()
    if not models:
        raise ConfigError("Ollama has no chat model: install one (ollama pull qwen3:8b)", field="preset")
    # Models of one family are likely to err alike: a second one adds little.
    families: dict[str, str] = {}
    for model in models:
        families.setdefault(_family(model), model)
    first = list(families.values())
    panel = (first + [model for model in models if model not in first])[:_PANEL_SIZE]
    return FusionConfig(panel=tuple(Panelist(model=f"ollama:{model}") for model in panel))


_WEIGHTS = "application/vnd.ollama.image.model"
_USUAL_FOLDERS = (Path("~/.ollama/models"), Path("/usr/share/ollama/.ollama/models"))


def model_files() -> dict[str, Path]:
    """Return the chat models in Ollama's folder, `NAME:TAG` and the GGUF file; it need not run for that."""
    own = os.environ.get("OLLAMA_MODELS", "").strip()
    files: dict[str, Path] = {}
    for folder in (Path(own),) if own else _USUAL_FOLDERS:
        for manifest in sorted(folder.expanduser().glob("manifests/*/*/*/*")):
            name = f"{manifest.parent.name}:{manifest.name}"
            blob = _weights_of(manifest)
            if blob is not None and not _NO_CHAT.search(name):
                files.setdefault(name, folder.expanduser() / "blobs" / blob)
    return {name: file for name, file in files.items() if file.is_file()}


def _weights_of(manifest: Path) -> str | None:
    """Return the name of the file with a model's weights; `None` where the manifest cannot be read or names none."""
    try:
        layers = json.loads(manifest.read_text("utf-8"))["layers"]
        digests = [str(layer["digest"]) for layer in layers if layer["mediaType"] == _WEIGHTS]
    except (OSError, ValueError, KeyError, TypeError):  # another program's file: whatever is not understood is none
        return None
    # Only a digest: a name with a slash would lead out of the folder.
    return digests[0].replace(":", "-") if digests and re.fullmatch(r"sha256:[0-9a-f]{64}", digests[0]) else None


def _family(model: str) -> str:
    """Return the leading letters of a model's name: `qwen3:8b` and `qwen2.5:14b` are of one family."""
    match = _FAMILY.search(model.rsplit("/", 1)[-1].lower())
    return match[0] if match else model
