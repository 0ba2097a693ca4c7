"""Whether the configured tools can work at all, asked before anything is spent."""

import os
from pathlib import Path

from fusion_tool.config import FusionConfig
from fusion_tool.documents import open_index
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
    """Check search providers and shell, and bring the index of the documents' folder up to date.

    Returns:
        What the seats' shell is: `sandbox`, `off`, or `none` with the reason.

    Raises:
        ConfigError: A search provider's variable is missing, the documents folder cannot be indexed, or no
            document of it can be read.
        SandboxUnavailable: `bash = "sandbox"`, and it does not work here.
    """
    for name in config.search.providers if config.search else ():
        if name in NEEDS and not os.environ.get(NEEDS[name]):
            raise ConfigError(f"'{name}' needs {NEEDS[name]} to be set", field="search.providers")
    if config.documents is not None:
        await _check_documents(config.documents.path)
    if config.bash == "off":
        return "off"
    found = await probe()
    if found.works:
        return "sandbox"
    if config.bash == "sandbox":
        raise SandboxUnavailable(f"bash = 'sandbox' is required: {found.detail}")
    return f"none: {found.detail}"


async def _check_documents(folder: Path) -> None:
    index = await open_index(folder)
    if index.held:
        return
    left_out = f" ({index.skipped[0].path} {index.skipped[0].reason})" if index.skipped else ""
    raise ConfigError(f"the folder {str(folder)!r} holds no document that can be read{left_out}", field="documents")
