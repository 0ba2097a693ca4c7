"""Which tools a run has, whether they can work here, and one kit for all its seats."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from langchain_core.tools import BaseTool

from fusion_tool.budget.ledger import Ledger, Spent
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError, SandboxUnavailable
from fusion_tool.graph.state import SeatTask
from fusion_tool.tools.documents.index import open_index
from fusion_tool.tools.sandbox.shell import probe
from fusion_tool.tools.search.search import NEEDS
from fusion_tool.tools.toolkit import Toolkit

_kits: WeakValueDictionary[str, "Toolkit"] = WeakValueDictionary()


async def build_toolkit(
    config: FusionConfig, task: SeatTask, own_tools: Sequence[Any] = (), session: Ledger | None = None
) -> Toolkit:
    """The kit of a wave, the same for all its seats in one process.

    Args:
        config: The run's configuration.
        task: One of the wave's.
        own_tools: The caller's tools, after the package's own.
        session: The ledger of the session that the run is part of.
    """
    run, spent = task["run"], Spent(task["spent"][0], int(task["spent"][1]))
    key = f"{run['id']}/{task['wave']}"
    known = _kits.get(key)
    if known is not None:
        return known
    tools = await _tools(config)
    limits = config.limits
    ledger = Ledger(usd=limits.usd, tokens=limits.tokens, strategy=config.strategy, spent=spent, session=session)
    toolkit = Toolkit(
        config=config, nonce=run["nonce"], tools=(*tools, *own_tools), builtin_count=len(tools), ledger=ledger
    )
    return _kits.setdefault(key, toolkit)


async def _tools(config: FusionConfig) -> list[BaseTool]:
    chosen: list[BaseTool] = []
    if config.max_tool_calls == 0:
        return chosen
    if config.search is not None:
        from fusion_tool.tools.builtin import fetch_page, web_search

        chosen += [web_search, fetch_page]
    if config.documents is not None:
        from fusion_tool.tools.builtin import search_documents

        chosen.append(search_documents)
    if config.bash != "off" and (await probe()).works:
        from fusion_tool.tools.builtin import bash

        chosen.append(bash)
    return chosen


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
