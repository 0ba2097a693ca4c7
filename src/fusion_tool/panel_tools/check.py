"""Whether the configured tools can work at all, asked before anything is spent."""

import asyncio
import os

from fusion_tool.config import FusionConfig
from fusion_tool.errors import ConfigError, SandboxUnavailable
from fusion_tool.sandbox import probe

NEEDS = {
    "searxng": "SEARXNG_URL",
    "tavily": "TAVILY_API_KEY",
    "exa": "EXA_API_KEY",
    "brave": "BRAVE_API_KEY",
}
"""The variable that each search provider needs; duckduckgo needs none."""


async def check_tools(config: FusionConfig) -> str:
    """Check search providers, documents folder and shell.

    Returns:
        What the seats' shell is: `sandbox`, `off`, or `none` with the reason.

    Raises:
        ConfigError: A search provider's variable is missing, or the documents folder cannot be read.
        SandboxUnavailable: `bash = "sandbox"`, and it does not work here.
    """
    for name in config.search.providers if config.search else ():
        if name in NEEDS and not os.environ.get(NEEDS[name]):
            raise ConfigError(f"'{name}' needs {NEEDS[name]} to be set", field="search.providers")
    if config.documents is not None:
        await asyncio.to_thread(_check_folder, config)
    if config.bash == "off":
        return "off"
    found = await probe()
    if found.works:
        return "sandbox"
    if config.bash == "sandbox":
        raise SandboxUnavailable(f"bash = 'sandbox' is required: {found.detail}")
    return f"none: {found.detail}"


def _check_folder(config: FusionConfig) -> None:
    folder = config.documents.path if config.documents else None
    if folder is None or not folder.is_dir():
        raise ConfigError(f"no folder at {folder}", field="documents")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise ConfigError(f"{folder} cannot be read", field="documents")
