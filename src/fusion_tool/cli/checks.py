"""What the doctor looks at. Each check says what is so, and the one command that mends what is not."""

import asyncio
import os
from dataclasses import dataclass
from typing import get_args

from fusion_tool.config import Panelist, SearchProvider
from fusion_tool.errors import ConfigError
from fusion_tool.private import make_private_folder


@dataclass(frozen=True)
class Check:
    """One finding.

    Args:
        name: What was looked at.
        ok: Whether it can be used.
        detail: One line on what is so.
        cure: The command that mends it; `None` where nothing is to be mended, or `detail` holds more than one way.
        runs: Whether a panel can run with this.
    """

    name: str
    ok: bool
    detail: str
    cure: str | None = None
    runs: bool = False


async def examine() -> list[Check]:
    """All checks, made at once; the slowest waits three seconds for an answer."""
    from fusion_tool.cli.provider_checks import openrouter

    found = await asyncio.gather(
        openrouter(),
        asyncio.to_thread(_other_providers),
        asyncio.to_thread(_ollama),
        asyncio.to_thread(_local_models),
        asyncio.to_thread(_search),
        _sandbox(),
        asyncio.to_thread(_documents_cache),
    )
    return [check for checks in found for check in checks]


def _other_providers() -> list[Check]:
    """The providers whose key is set; those without are many, and nobody misses them."""
    from fusion_tool.models.endpoints import PROVIDERS
    from fusion_tool.models.factory import check_models

    found = []
    for provider, known in PROVIDERS.items():
        variable = next((name for name in known.keys if os.environ.get(name)), None)
        if provider == "openrouter" or variable is None:
            continue
        try:
            check_models([("model", Panelist(model=f"{provider}:any"))])
        except ConfigError as error:
            cause, _, cure = error.message.rpartition(": ")
            found.append(Check(provider, ok=False, detail=f"{variable} is set, but {cause}", cure=cure))
        else:
            found.append(Check(provider, ok=True, detail=f"{variable} is set, not tried", runs=True))
    return found


def _ollama() -> list[Check]:
    from fusion_tool.models.ollama import endpoint, installed_models

    try:
        models = installed_models()
    except ConfigError:
        return [Check("Ollama", ok=False, detail=f"none answers at {endpoint()}", cure="ollama serve")]
    if not models:
        return [Check("Ollama", ok=False, detail="it has no chat model", cure="ollama pull qwen3:8b")]
    return [Check("Ollama", ok=True, detail=f"offers {', '.join(models)}", runs=True)]


def _local_models() -> list[Check]:
    from importlib.util import find_spec

    from fusion_tool.models.install import MODELS, is_installed, weights_path

    checks = []
    for name in MODELS:
        if find_spec("xllamacpp") is None:
            lacks, cure = "the extra 'local' is missing", "pip install 'fusion-tool[local]'"
        elif not is_installed(name):
            lacks, cure = f"{name} is not installed", "fusion-tool model install"
        else:
            checks.append(Check("local model", ok=True, detail=f"{name} at {weights_path(name)}", runs=True))
            continue
        checks.append(Check("local model", ok=False, detail=lacks, cure=cure))
    return checks


def _search() -> list[Check]:
    from fusion_tool.panel_tools.check import NEEDS

    checks = []
    for provider in get_args(SearchProvider):
        variable = NEEDS.get(provider)
        name = f"search: {provider}"
        if variable is None:
            checks.append(Check(name, ok=True, detail="needs no key; not asked"))
        elif os.environ.get(variable):
            checks.append(Check(name, ok=True, detail=f"{variable} is set; not asked"))
        else:
            checks.append(Check(name, ok=False, detail=f"{variable} is not set", cure=f"export {variable}=..."))
    return checks


async def _sandbox() -> list[Check]:
    from fusion_tool.sandbox import probe

    found = await probe()
    return [Check("sandboxed shell", ok=found.works, detail=found.detail)]


def _documents_cache() -> list[Check]:
    from platformdirs import user_cache_path

    folder = user_cache_path("fusion-tool") / "documents"
    try:
        make_private_folder(folder)
        indexes = [file.stat().st_size for file in folder.glob("*.sqlite")]
    except OSError as error:
        detail = f"{folder} cannot be used ({error.strerror})"
        return [Check("documents cache", ok=False, detail=detail, cure=f"mkdir -p {folder}")]
    if not os.access(folder, os.W_OK):
        detail = f"{folder} cannot be written"
        return [Check("documents cache", ok=False, detail=detail, cure=f"chmod u+w {folder}")]
    detail = f"{len(indexes)} indexed folders, {sum(indexes) / 1e6:.1f} MB in {folder}"
    return [Check("documents cache", ok=True, detail=detail)]
